#include "select/functions.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "otap/pattern.h"
#include "select/conversions.h"

namespace df::select {
namespace {

std::string_view TextOf(const Value& value) { return value.As<Text>()->view(); }
int64_t IntegerOf(const Value& value) { return *value.As<int64_t>(); }

/// Part of a text: shares its bytes.
Value Part(const Value& text, size_t begin, size_t count) {
  const Chars& chars = text.As<Text>()->chars;
  return {Text{Chars{chars.view.substr(begin, count), chars.owner}}};
}

Value HasPrefix(std::span<const Value> arguments) {
  return {TextOf(arguments[0]).starts_with(TextOf(arguments[1]))};
}
Value HasSuffix(std::span<const Value> arguments) {
  return {TextOf(arguments[0]).ends_with(TextOf(arguments[1]))};
}

/// The pattern of a call that does not change is compiled once, elsewhere.
Value IsMatch(std::span<const Value> arguments) {
  const auto pattern = otap::Pattern::Compile(std::string(TextOf(arguments[1])));
  if (!pattern.ok()) {
    return Fail(fmt::format("IsMatch: found the pattern '{}': {}",
                            PrintableText(TextOf(arguments[1])), pattern.status().message()));
  }
  return {!arguments[0].is_nil() && pattern->Matches(TextOf(arguments[0]))};
}

template <typename T>
Value Is(std::span<const Value> arguments) {
  return {arguments[0].As<T>() != nullptr};
}

Value IsEmpty(std::span<const Value> arguments) {
  const Value& value = arguments[0];
  const auto is_zeros = [](std::string_view bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](char byte) { return byte == 0; });
  };
  const auto* text = value.As<Text>();
  const auto* bytes = value.As<Bytes>();
  const auto* id = value.As<Id>();
  const auto* number = value.As<double>();
  const auto* integer = value.As<int64_t>();
  const auto* truth = value.As<bool>();
  const auto* duration = value.As<Duration>();
  return {value.is_nil() || (text != nullptr && text->view().empty()) ||
          (bytes != nullptr && bytes->view().empty()) || (id != nullptr && is_zeros(id->view())) ||
          (number != nullptr && *number == 0) || (integer != nullptr && *integer == 0) ||
          (truth != nullptr && !*truth) || (duration != nullptr && duration->nanos == 0) ||
          (value.list() != nullptr && value.list()->empty()) ||
          (value.map() != nullptr && value.map()->empty())};
}

Value IsRootSpan(std::span<const Value> arguments) {
  const std::string_view id = arguments[0].As<Id>()->view();
  return {std::all_of(id.begin(), id.end(), [](char byte) { return byte == 0; })};
}

Value Len(std::span<const Value> arguments) {
  const Value& value = arguments[0];
  const auto length = [](size_t size) { return Value{static_cast<int64_t>(size)}; };
  if (const auto* text = value.As<Text>()) {
    return length(text->view().size());
  }
  if (const auto* bytes = value.As<Bytes>()) {
    return length(bytes->view().size());
  }
  if (const List* list = value.list(); list != nullptr) {
    return length(list->size());
  }
  if (const Map* map = value.map(); map != nullptr) {
    return length(map->size());
  }
  return Fail(fmt::format("Len: found {}, expected text, bytes, a list or a map", KindName(value)));
}

Value Concat(std::span<const Value> arguments) {
  std::string text;
  const List& parts = *arguments[0].list();
  for (size_t i = 0; i < parts.size(); ++i) {
    const Value part = ToText(parts[i]);
    if (part.As<Failure>() != nullptr) {
      return part;
    }
    text += i == 0 ? std::string_view() : TextOf(arguments[1]);
    text += part.is_nil() ? std::string_view("<nil>") : TextOf(part);
  }
  return MakeText(std::move(text));
}

Value ToInteger(std::span<const Value> arguments) { return ReadInteger(arguments[0]); }
Value ToDouble(std::span<const Value> arguments) { return ReadDouble(arguments[0]); }
Value AsItIs(std::span<const Value> arguments) { return arguments[0]; }
Value ToLowerCase(std::span<const Value> arguments) {
  return MakeText(ChangeCase(TextOf(arguments[0]), false));
}
Value ToUpperCase(std::span<const Value> arguments) {
  return MakeText(ChangeCase(TextOf(arguments[0]), true));
}

Value Substring(std::span<const Value> arguments) {
  const int64_t begin = IntegerOf(arguments[1]);
  const int64_t count = IntegerOf(arguments[2]);
  const auto size = static_cast<int64_t>(TextOf(arguments[0]).size());
  if (begin < 0 || count <= 0 || begin > size || count > size - begin) {
    return Fail(
        fmt::format("Substring: found {} bytes from {} on, and a text of {}", count, begin, size));
  }
  return Part(arguments[0], static_cast<size_t>(begin), static_cast<size_t>(count));
}

Value Split(std::span<const Value> arguments) {
  const std::string_view text = TextOf(arguments[0]);
  const std::string_view delimiter = TextOf(arguments[1]);
  auto list = std::make_shared<List>();
  if (delimiter.empty()) {  // one character each
    for (size_t begin = 0; begin < text.size();) {
      const size_t size = CharacterSize(text.substr(begin));
      list->push_back(Part(arguments[0], begin, size));
      begin += size;
    }
    return {std::shared_ptr<const List>(std::move(list))};
  }
  size_t begin = 0;
  for (size_t end = text.find(delimiter); end != std::string_view::npos;
       end = text.find(delimiter, begin)) {
    list->push_back(Part(arguments[0], begin, end - begin));
    begin = end + delimiter.size();
  }
  list->push_back(Part(arguments[0], begin, text.size() - begin));
  return {std::shared_ptr<const List>(std::move(list))};
}

/// Takes characters of a set off both ends.
Value Trim(std::span<const Value> arguments) {
  const std::string_view set = arguments.size() > 1 ? TextOf(arguments[1]) : " ";
  const std::string_view text = TextOf(arguments[0]);
  const auto is_in_set = [set](std::string_view character) {
    for (size_t i = 0; i < set.size(); i += CharacterSize(set.substr(i))) {
      if (set.substr(i, CharacterSize(set.substr(i))) == character) {
        return true;
      }
    }
    return false;
  };
  std::vector<size_t> starts;
  for (size_t i = 0; i < text.size(); i += CharacterSize(text.substr(i))) {
    starts.push_back(i);
  }
  starts.push_back(text.size());
  size_t first = 0;
  size_t last = starts.size() - 1;
  const auto character = [&](size_t i) {
    return text.substr(starts[i], starts[i + 1] - starts[i]);
  };
  while (first < last && is_in_set(character(first))) {
    ++first;
  }
  while (first < last && is_in_set(character(last - 1))) {
    --last;
  }
  return Part(arguments[0], starts[first], starts[last] - starts[first]);
}

Value TrimPrefix(std::span<const Value> arguments) {
  const size_t size = TextOf(arguments[1]).size();
  return TextOf(arguments[0]).starts_with(TextOf(arguments[1]))
             ? Part(arguments[0], size, std::string_view::npos)
             : arguments[0];
}
Value TrimSuffix(std::span<const Value> arguments) {
  const size_t size = TextOf(arguments[1]).size();
  return TextOf(arguments[0]).ends_with(TextOf(arguments[1]))
             ? Part(arguments[0], 0, TextOf(arguments[0]).size() - size)
             : arguments[0];
}

int64_t PlaceIn(const List& list, const Value& item) {
  for (size_t i = 0; i < list.size(); ++i) {
    if (Compare(list[i], Comparison::kEqual, item)) {
      return static_cast<int64_t>(i);
    }
  }
  return -1;
}

Value Index(std::span<const Value> arguments) {
  if (const List* list = arguments[0].list(); list != nullptr) {
    return {PlaceIn(*list, arguments[1])};
  }
  const auto* text = arguments[0].As<Text>();
  const auto* part = arguments[1].As<Text>();
  if (text == nullptr || part == nullptr) {
    return Fail(fmt::format("Index: found {} and {}, expected text and text, or a list and an item",
                            KindName(arguments[0]), KindName(arguments[1])));
  }
  const size_t found = text->view().find(part->view());
  return {found == std::string_view::npos ? int64_t{-1} : static_cast<int64_t>(found)};
}

Value ContainsValue(std::span<const Value> arguments) {
  return {PlaceIn(*arguments[0].list(), arguments[1]) >= 0};
}

Value Coalesce(std::span<const Value> arguments) {
  for (const Value& value : *arguments[0].list()) {
    if (!value.is_nil()) {
      return value;
    }
  }
  return {};
}

Value ParseDurationText(std::span<const Value> arguments) {
  return ReadDuration(TextOf(arguments[0]));
}

/// Of a duration: whole units as OTTL gives them.
template <int64_t kNanos>
Value WholeUnits(std::span<const Value> arguments) {
  return {arguments[0].As<Duration>()->nanos / kNanos};
}
template <int64_t kNanos>
Value Units(std::span<const Value> arguments) {
  const int64_t nanos = arguments[0].As<Duration>()->nanos;
  // The whole part first, as Go does, so that the last digit is the same.
  return {static_cast<double>(nanos / kNanos) +
          static_cast<double>(nanos % kNanos) / static_cast<double>(kNanos)};
}

template <int64_t kNanos>
Value UnixUnits(std::span<const Value> arguments) {
  const __int128 nanos = arguments[0].As<Time>()->nanos;
  return {static_cast<int64_t>(nanos / kNanos - (nanos % kNanos < 0 ? 1 : 0))};
}

Value Unix(std::span<const Value> arguments) {
  const __int128 seconds = IntegerOf(arguments[0]);
  return {Time{seconds * 1'000'000'000 + (arguments.size() > 1 ? IntegerOf(arguments[1]) : 0)}};
}

Value MakeTraceId(std::span<const Value> arguments) { return ReadId(arguments[0], 16, "TraceID"); }
Value MakeSpanId(std::span<const Value> arguments) { return ReadId(arguments[0], 8, "SpanID"); }
Value Hex(std::span<const Value> arguments) { return WriteHex(arguments[0]); }

constexpr int64_t kSecond = 1'000'000'000;

const std::vector<Function>& AllFunctions() {
  using Kind = StaticKind;
  constexpr Parameter kTarget{"target", Wanted::kAny};
  constexpr Parameter kTextTarget{"target", Wanted::kText};
  constexpr Parameter kTimeTarget{"time", Wanted::kTime};
  constexpr Parameter kDurationTarget{"duration", Wanted::kDuration};
  static const std::vector<Function> functions = {
      {kIsMatch, {{"target", Wanted::kTextLike}, {"pattern", Wanted::kText}}, Kind::kBool, IsMatch},
      {"HasPrefix", {kTextTarget, {"prefix", Wanted::kText}}, Kind::kBool, HasPrefix},
      {"HasSuffix", {kTextTarget, {"suffix", Wanted::kText}}, Kind::kBool, HasSuffix},
      {"IsString", {kTarget}, Kind::kBool, Is<Text>},
      {"IsInt", {kTarget}, Kind::kBool, Is<int64_t>},
      {"IsDouble", {kTarget}, Kind::kBool, Is<double>},
      {"IsBool", {kTarget}, Kind::kBool, Is<bool>},
      {"IsMap", {kTarget}, Kind::kBool, Is<std::shared_ptr<const Map>>},
      {"IsList", {kTarget}, Kind::kBool, Is<std::shared_ptr<const List>>},
      {"IsEmpty", {kTarget}, Kind::kBool, IsEmpty},
      {kIsRootSpan, {}, Kind::kBool, IsRootSpan},
      {"Len", {kTarget}, Kind::kInteger, Len},
      {"Concat", {{"vals", Wanted::kList}, {"delimiter", Wanted::kText}}, Kind::kText, Concat},
      {"Int", {kTarget}, Kind::kAny, ToInteger},
      {"Double", {kTarget}, Kind::kAny, ToDouble},
      {"String", {{"target", Wanted::kTextLike}}, Kind::kAny, AsItIs},
      {"ToLowerCase", {kTextTarget}, Kind::kText, ToLowerCase},
      {"ToUpperCase", {kTextTarget}, Kind::kText, ToUpperCase},
      {"Substring",
       {kTextTarget, {"start", Wanted::kInteger}, {"length", Wanted::kInteger}},
       Kind::kText,
       Substring},
      {"Split", {kTextTarget, {"delimiter", Wanted::kText}}, Kind::kList, Split},
      {"Trim", {kTextTarget, {"replacement", Wanted::kText, true}}, Kind::kText, Trim},
      {"TrimPrefix", {kTextTarget, {"prefix", Wanted::kText}}, Kind::kText, TrimPrefix},
      {"TrimSuffix", {kTextTarget, {"suffix", Wanted::kText}}, Kind::kText, TrimSuffix},
      {"Index", {kTarget, {"value", Wanted::kAny}}, Kind::kInteger, Index},
      {"ContainsValue",
       {{"target", Wanted::kList}, {"item", Wanted::kAny}},
       Kind::kBool,
       ContainsValue},
      {kCoalesce, {{"values", Wanted::kList}}, Kind::kAny, Coalesce},
      {"Duration", {{"duration", Wanted::kText}}, Kind::kDuration, ParseDurationText},
      {"Nanoseconds", {kDurationTarget}, Kind::kInteger, WholeUnits<1>},
      {"Microseconds", {kDurationTarget}, Kind::kInteger, WholeUnits<1'000>},
      {"Milliseconds", {kDurationTarget}, Kind::kInteger, WholeUnits<1'000'000>},
      {"Seconds", {kDurationTarget}, Kind::kDouble, Units<kSecond>},
      {"Minutes", {kDurationTarget}, Kind::kDouble, Units<60 * kSecond>},
      {"Hours", {kDurationTarget}, Kind::kDouble, Units<3'600 * kSecond>},
      {"UnixNano", {kTimeTarget}, Kind::kInteger, UnixUnits<1>},
      {"UnixMicro", {kTimeTarget}, Kind::kInteger, UnixUnits<1'000>},
      {"UnixMilli", {kTimeTarget}, Kind::kInteger, UnixUnits<1'000'000>},
      {"UnixSeconds", {kTimeTarget}, Kind::kInteger, UnixUnits<kSecond>},
      {"Unix",
       {{"seconds", Wanted::kInteger}, {"nanoseconds", Wanted::kInteger, true}},
       Kind::kTime,
       Unix},
      {"TraceID", {kTarget}, Kind::kId, MakeTraceId},
      {"SpanID", {kTarget}, Kind::kId, MakeSpanId},
      {"Hex", {kTarget}, Kind::kText, Hex},
  };
  return functions;
}

/// Of OTTL, and not of conditions here.
constexpr auto kOthers = std::to_array<std::string_view>({"All",
                                                          "Any",
                                                          "Filter",
                                                          "Find",
                                                          "MapEach",
                                                          "MapKeys",
                                                          "Reduce",
                                                          "StringifyAll",
                                                          "When",
                                                          "Base64Decode",
                                                          "Base64Encode",
                                                          "Bool",
                                                          "CommunityID",
                                                          "ConvertCase",
                                                          "Day",
                                                          "Decode",
                                                          "ExtractGrokPatterns",
                                                          "ExtractPatterns",
                                                          "FNV",
                                                          "Format",
                                                          "FormatTime",
                                                          "GetXML",
                                                          "Hour",
                                                          "IsInCIDR",
                                                          "IsValidLuhn",
                                                          "Keys",
                                                          "Log",
                                                          "MD5",
                                                          "Minute",
                                                          "Month",
                                                          "Murmur3Hash",
                                                          "Murmur3Hash128",
                                                          "Nanosecond",
                                                          "Now",
                                                          "ParseCSV",
                                                          "ParseInt",
                                                          "ParseJSON",
                                                          "ParseKeyValue",
                                                          "ParseSeverity",
                                                          "ParseXML",
                                                          "ProfileID",
                                                          "SHA1",
                                                          "SHA256",
                                                          "SHA512",
                                                          "Second",
                                                          "SliceToMap",
                                                          "Sort",
                                                          "Time",
                                                          "ToCamelCase",
                                                          "ToKeyValueString",
                                                          "ToSnakeCase",
                                                          "TruncateTime",
                                                          "URL",
                                                          "UUID",
                                                          "UUIDv7",
                                                          "UserAgent",
                                                          "Values",
                                                          "Weekday",
                                                          "XXH128",
                                                          "XXH3",
                                                          "Year"});

std::string_view NameOf(Wanted wanted) {
  switch (wanted) {
    case Wanted::kAny:
      return "a value";
    case Wanted::kText:
    case Wanted::kTextLike:
      return "text";
    case Wanted::kInteger:
      return "an integer";
    case Wanted::kList:
      return "a list";
    case Wanted::kTime:
      return "a time";
    case Wanted::kDuration:
      break;
  }
  return "a duration";
}

bool IsWanted(const Value& value, Wanted wanted) {
  switch (wanted) {
    case Wanted::kAny:
      return true;
    case Wanted::kText:
      return value.As<Text>() != nullptr;
    case Wanted::kTextLike:
      return value.is_nil() || value.As<Text>() != nullptr;
    case Wanted::kInteger:
      return value.As<int64_t>() != nullptr;
    case Wanted::kList:
      return value.list() != nullptr;
    case Wanted::kTime:
      return value.As<Time>() != nullptr;
    case Wanted::kDuration:
      return value.As<Duration>() != nullptr;
  }
  return false;
}

}  // namespace

Result<const Function*> FindFunction(Context context, const std::string& name, Position position) {
  std::vector<std::string> names;
  for (const Function& function : AllFunctions()) {
    if (function.name == kIsRootSpan && context != Context::kSpan) {
      continue;
    }
    if (function.name == name) {
      return &function;
    }
    names.emplace_back(function.name);
  }
  if (std::find(kOthers.begin(), kOthers.end(), name) != kOthers.end()) {
    return SyntaxError(position, fmt::format("found '{}', a function of OTTL that conditions do "
                                             "not have here (docs/conditions.md lists those that "
                                             "they have)",
                                             name));
  }
  const std::string nearest = NearestName(name, names);
  return SyntaxError(
      position, fmt::format("found '{}', which is no function{}", name,
                            nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest)));
}

Value ToWanted(const Function& function, const Parameter& parameter, Value value) {
  if (value.As<Failure>() != nullptr) {
    return value;
  }
  if (parameter.wanted == Wanted::kTextLike) {
    value = ToText(value);
  }
  if (IsWanted(value, parameter.wanted) || value.As<Failure>() != nullptr) {
    return value;
  }
  return Fail(fmt::format("{}: found {} for {}, expected {}", function.name, KindName(value),
                          parameter.name, NameOf(parameter.wanted)));
}

bool MayBe(StaticKind kind, Wanted wanted) {
  switch (wanted) {
    case Wanted::kAny:
      return true;
    case Wanted::kText:
      return kind == StaticKind::kAny || kind == StaticKind::kText;
    case Wanted::kTextLike:
      return kind != StaticKind::kId && kind != StaticKind::kTime && kind != StaticKind::kDuration;
    case Wanted::kInteger:
      return kind == StaticKind::kAny || kind == StaticKind::kInteger;
    case Wanted::kList:
      return kind == StaticKind::kAny || kind == StaticKind::kList;
    case Wanted::kTime:
      return kind == StaticKind::kAny || kind == StaticKind::kTime;
    case Wanted::kDuration:
      return kind == StaticKind::kAny || kind == StaticKind::kDuration;
  }
  return false;
}

}  // namespace df::select
