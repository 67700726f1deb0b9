// Evaluates each condition of conditions.txt over each record with the parser of OTTL, and writes
// the answers to expected.txt. The README beside this folder says what the answers mean.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottldatapoint"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottllog"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspan"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/ottlfuncs"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// answer is what one condition gives: one character for each item, and one text for each error.
type answer struct {
	result string
	errors []string
}

// judge parses a condition and evaluates it over all items of its context.
type judge func(condition string) answer

// evaluate turns a panic of OTTL into an error of its own kind.
func evaluate[K any](condition *ottl.Condition[K], item K) (match bool, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: %v", errPanic, cause)
		}
	}()
	return condition.Eval(context.Background(), item)
}

var errPanic = errors.New("panic")

// newJudge binds a parser to the items that its conditions run over.
func newJudge[K any](parse func(string) (*ottl.Condition[K], error), items []K) judge {
	return func(text string) answer {
		condition, err := parse(text)
		if err != nil {
			return answer{"invalid", []string{err.Error()}}
		}
		var result strings.Builder
		var texts []string
		for number, item := range items {
			match, err := evaluate(condition, item)
			switch {
			case errors.Is(err, errPanic):
				return answer{"panic", []string{err.Error()}}
			case err != nil:
				result.WriteByte('e')
				texts = append(texts, fmt.Sprintf("item %d: %v", number, err))
			case match:
				result.WriteByte('t')
			default:
				result.WriteByte('f')
			}
		}
		return answer{result.String(), texts}
	}
}

func readLogs(data []byte) ([]*ottllog.TransformContext, error) {
	logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(data)
	if err != nil {
		return nil, err
	}
	var items []*ottllog.TransformContext
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				items = append(items, ottllog.NewTransformContext(resource, scope, record))
			}
		}
	}
	return items, nil
}

func readSpans(data []byte) ([]*ottlspan.TransformContext, error) {
	traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(data)
	if err != nil {
		return nil, err
	}
	var items []*ottlspan.TransformContext
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				items = append(items, ottlspan.NewTransformContext(resource, scope, span))
			}
		}
	}
	return items, nil
}

// pointsOf gives the data points of a metric, whatever its type.
func pointsOf(metric pmetric.Metric) []any {
	var points []any
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		for _, point := range metric.Gauge().DataPoints().All() {
			points = append(points, point)
		}
	case pmetric.MetricTypeSum:
		for _, point := range metric.Sum().DataPoints().All() {
			points = append(points, point)
		}
	case pmetric.MetricTypeHistogram:
		for _, point := range metric.Histogram().DataPoints().All() {
			points = append(points, point)
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, point := range metric.ExponentialHistogram().DataPoints().All() {
			points = append(points, point)
		}
	case pmetric.MetricTypeSummary:
		for _, point := range metric.Summary().DataPoints().All() {
			points = append(points, point)
		}
	}
	return points
}

func readPoints(data []byte) ([]*ottldatapoint.TransformContext, error) {
	metrics, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(data)
	if err != nil {
		return nil, err
	}
	var items []*ottldatapoint.TransformContext
	for _, resource := range metrics.ResourceMetrics().All() {
		for _, scope := range resource.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				for _, point := range pointsOf(metric) {
					items = append(items,
						ottldatapoint.NewTransformContext(resource, scope, metric, point))
				}
			}
		}
	}
	return items, nil
}

// load reads one file of records.
func load[K any](folder, name string, read func([]byte) ([]K, error)) ([]K, error) {
	path := filepath.Join(folder, "records", name)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	items, err := read(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return items, nil
}

// judges makes the judge of each context. Each parser accepts paths with and without the name of
// their context.
func judges(folder string) (map[string]judge, error) {
	settings := componenttest.NewNopTelemetrySettings()

	logs, err := load(folder, "logs.json", readLogs)
	if err != nil {
		return nil, err
	}
	logParser, err := ottllog.NewParser(
		ottlfuncs.StandardConverters[*ottllog.TransformContext](), settings)
	if err != nil {
		return nil, err
	}

	spans, err := load(folder, "traces.json", readSpans)
	if err != nil {
		return nil, err
	}
	spanFunctions := ottlfuncs.StandardConverters[*ottlspan.TransformContext]()
	isRootSpan := ottlfuncs.NewIsRootSpanFactory()
	spanFunctions[isRootSpan.Name()] = isRootSpan
	spanParser, err := ottlspan.NewParser(spanFunctions, settings)
	if err != nil {
		return nil, err
	}

	points, err := load(folder, "metrics.json", readPoints)
	if err != nil {
		return nil, err
	}
	pointParser, err := ottldatapoint.NewParser(
		ottlfuncs.StandardConverters[*ottldatapoint.TransformContext](), settings)
	if err != nil {
		return nil, err
	}

	return map[string]judge{
		"log":       newJudge(logParser.ParseCondition, logs),
		"span":      newJudge(spanParser.ParseCondition, spans),
		"datapoint": newJudge(pointParser.ParseCondition, points),
	}, nil
}

func run(folder string, showErrors bool) error {
	byContext, err := judges(folder)
	if err != nil {
		return err
	}
	input, err := os.ReadFile(filepath.Join(folder, "conditions.txt"))
	if err != nil {
		return err
	}
	output, err := os.Create(filepath.Join(folder, "expected.txt"))
	if err != nil {
		return err
	}
	defer output.Close()
	writer := bufio.NewWriter(output)
	for number, line := range strings.Split(strings.TrimSuffix(string(input), "\n"), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			fmt.Fprintln(writer, line)
			continue
		}
		name, condition, found := strings.Cut(line, "\t")
		decide := byContext[name]
		if !found || decide == nil || strings.Contains(condition, "\t") {
			return fmt.Errorf("conditions.txt:%d: expected context<TAB>condition", number+1)
		}
		got := decide(condition)
		if got.result == "panic" {
			return fmt.Errorf("conditions.txt:%d: OTTL panics on this condition, so it has no answer: %s",
				number+1, condition)
		}
		fmt.Fprintf(writer, "%s\t%s\t%s\n", name, condition, got.result)
		if showErrors {
			for _, text := range got.errors {
				fmt.Fprintf(os.Stderr, "%d: %s: %s: %s\n", number+1, name, condition, text)
			}
		}
	}
	if err := writer.Flush(); err != nil {
		return err
	}
	return output.Close()
}

func main() {
	folder := flag.String("folder", "..", "the folder of conditions.txt and records")
	showErrors := flag.Bool("errors", false, "write the text of each error to stderr")
	flag.Parse()
	if err := run(*folder, *showErrors); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
