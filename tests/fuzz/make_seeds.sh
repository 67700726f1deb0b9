#!/usr/bin/env bash
# Writes what the fuzz targets start from: real files of the sample data, one or two of each table.
#
# usage: tests/fuzz/make_seeds.sh FOLDER     fills FOLDER/footer_fuzz, table_fuzz, otlp_decode_fuzz,
#                                            otap_wire_fuzz, http1_fuzz, http2_fuzz
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
target=$1

# In the order of otap::AllTables(): table_fuzz takes its first byte as the position in it.
tables=(resource_attrs scope_attrs univariate_metrics number_data_points summary_data_points histogram_data_points
  exp_histogram_data_points number_dp_attrs summary_dp_attrs histogram_dp_attrs exp_histogram_dp_attrs
  number_dp_exemplars histogram_dp_exemplars exp_histogram_dp_exemplars number_dp_exemplar_attrs
  histogram_dp_exemplar_attrs exp_histogram_dp_exemplar_attrs multivariate_metrics metric_attrs logs log_attrs spans
  span_attrs span_events span_links span_event_attrs span_link_attrs)

mkdir -p "$target/footer_fuzz" "$target/table_fuzz"
for position in "${!tables[@]}"; do
  table=${tables[$position]}
  for set in corner logs-2025; do
    folder=$root/examples/data/$set/parquet/$table
    [[ -d $folder ]] || continue
    file=$(find "$folder" -name '*.parquet' | sort | sed -n 1p)
    # A file ends with its footer, the footer's length in four bytes, little-endian, and PAR1.
    length=$(tail -c 8 "$file" | head -c 4 | od -An -t u4 --endian=little | tr -d ' ')
    tail -c $((length + 8)) "$file" | head -c "$length" >"$target/footer_fuzz/$set-$table"
    {
      printf '%b' "\\x$(printf '%02x' "$position")"
      cat "$file"
    } >"$target/table_fuzz/$set-$table"
  done
done

# The first request of each file, behind the number of its signal.
mkdir -p "$target/otlp_decode_fuzz"
signals=(logs traces metrics)
for number in "${!signals[@]}"; do
  file=$root/examples/data/corner/${signals[$number]}.otlp
  length=$(head -c 4 "$file" | od -An -t u4 --endian=big | tr -d ' ')
  {
    printf '%b' "\\x0$number"
    head -c $((length + 4)) "$file" | tail -c "$length"
  } >"$target/otlp_decode_fuzz/${signals[$number]}"
done

# The same as JSON: the first byte is 128 or more, its remainder by three is the signal.
printf '\x81{"resourceLogs":[{"resource":{"attributes":[{"key":"a","value":{"kvlistValue":{"values":[{"key":"b","value":{"arrayValue":{"values":[{"bytesValue":"QUI="},{"doubleValue":"NaN"},{"intValue":"-7"}]}}}]}}}]},"scopeLogs":[{"scope":{"name":"s","version":"1"},"logRecords":[{"timeUnixNano":"17","severityNumber":"SEVERITY_NUMBER_WARN","body":{"stringValue":"\\u00e9\\ud83d\\ude00\\n"},"traceId":"0123456789abcdef0123456789abcdef","spanId":"0123456789ABCDEF","flags":1}],"schemaUrl":"u"}]}]}' \
  >"$target/otlp_decode_fuzz/logs-json"
printf '\x82{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0123456789abcdef0123456789abcdef","spanId":"0123456789abcdef","name":"n","kind":2,"startTimeUnixNano":1,"endTimeUnixNano":"2","events":[{"timeUnixNano":"1","name":"e","attributes":[{"key":"k","value":{"boolValue":true}}]}],"links":[{"traceId":"0123456789abcdef0123456789abcdef","spanId":"0123456789abcdef","traceState":"a=b"}],"status":{"code":"STATUS_CODE_ERROR","message":"m"}}]}]}]}' \
  >"$target/otlp_decode_fuzz/traces-json"
printf '\x80{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"g","unit":"1","gauge":{"dataPoints":[{"asInt":"1","exemplars":[{"asDouble":0.5,"timeUnixNano":"3"}]}]}},{"name":"s","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"asDouble":1.5}]}},{"name":"h","histogram":{"dataPoints":[{"count":"2","sum":1,"bucketCounts":["1","1"],"explicitBounds":[0.5]}]}},{"name":"e","exponentialHistogram":{"dataPoints":[{"scale":1,"positive":{"offset":1,"bucketCounts":[1]}}]}},{"name":"q","summary":{"dataPoints":[{"quantileValues":[{"quantile":0.5,"value":1}]}]}}]}]}]}' \
  >"$target/otlp_decode_fuzz/metrics-json"

# The first message of each recorded stream, behind the number of its signal and its length in three
# bytes.
mkdir -p "$target/otap_wire_fuzz"
for number in "${!signals[@]}"; do
  file=$root/examples/data/wire/corner/${signals[$number]}.arrowstream
  length=$(head -c 4 "$file" | od -An -t u4 --endian=big | tr -d ' ')
  {
    printf '%b' "\\x0$number"
    head -c 4 "$file" | tail -c 3
    head -c $((length + 4)) "$file" | tail -c "$length"
  } >"$target/otap_wire_fuzz/${signals[$number]}"
done

# Requests one behind the other, in both forms of a body; the first byte says how they are cut into pieces.
mkdir -p "$target/http1_fuzz"
printf '\x07POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}GET /livez?a=b HTTP/1.1\r\nHost: x:1\r\nConnection: close\r\n\r\n' \
  >"$target/http1_fuzz/sized"
printf '\x3fPOST http://x/v1/traces HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n3;a=b\r\nabc\r\n0\r\nx: y\r\n\r\n' \
  >"$target/http1_fuzz/chunked"
printf '\x01OPTIONS * HTTP/1.1\r\nHost: [::1]\r\n\r\nPOST //a HTTP/1.0\r\nContent-Encoding: gzip, zstd\r\nContent-Length: 3, 3\r\n\r\nabc' \
  >"$target/http1_fuzz/odd"
# repeat N TEXT: the text N times, with the number of each in place of %d.
repeat() { for ((i = 0; i < $1; i++)); do
  # shellcheck disable=SC2059 # the text is a format
  printf "$2" $i
done; }
# What repeats, in pieces of one byte: read once, because its cost has to grow as its size does. Too slow to start from.
mkdir -p "$target/large/http1_fuzz"
repeat 4200 'GET /%d HTTP/1.1\r\nHost: x\r\n\r\n' | cat <(printf '\0') - >"$target/large/http1_fuzz/many_requests"
{
  printf '\0GET / HTTP/1.1\r\nHost: x\r\n'
  repeat 6000 'h%d: v\r\n'
  printf '\r\n'
} >"$target/large/http1_fuzz/many_headers"
{
  printf '\0POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n'
  repeat 20000 '1\r\n%.1s\r\n'
  printf '0\r\n\r\n'
} >"$target/large/http1_fuzz/many_chunks"

# One call as its server (01) and as its client (00) read it: settings, headers, a message, and the end of the stream.
# frame TYPE FLAGS STREAM PAYLOAD, all in hexadecimal.
frame() { printf '%06x%02x%02x%08x%s' $((${#4} / 2)) "0x$1" "0x$2" "0x$3" "$4"; }
# field NAME VALUE: a literal that is not indexed.
field() { printf '00%02x%s%02x%s' ${#1} "$(printf '%s' "$1" | od -An -v -t x1 | tr -d ' \n')" ${#2} "$(printf '%s' "$2" | od -An -v -t x1 | tr -d ' \n')"; }
unhex() { printf '%b' "$(sed 's/../\\x&/g' <<<"$1")"; }
mkdir -p "$target/http2_fuzz"
request=$(field :method POST)$(field :scheme http)$(field :path /a/b)$(field :authority x)$(field te trailers)
unhex "01$(frame 4 0 0 "")$(frame 1 4 1 "$request")$(frame 0 1 1 0000000003616263)$(frame 6 0 0 0102030405060708)" \
  >"$target/http2_fuzz/server"
answer=$(field :status 200)$(field content-type application/grpc)
unhex "00$(frame 4 0 0 "")$(frame 4 1 0 "")$(frame 1 4 1 "$answer")$(frame 0 0 1 0000000003616263)$(frame 1 5 1 \
  "$(field grpc-status 14)$(field grpc-message not%20now)$(field grpc-status-details-bin CAgQAA)")$(frame 7 0 0 0000000100000000)" \
  >"$target/http2_fuzz/client"
