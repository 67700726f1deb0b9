#include "app/commands/inspect_groups.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/commands/archive_flags.h"
#include "app/commands/group_counts.h"
#include "app/commands/moment.h"
#include "app/commands/signal_names.h"
#include "app/commands/text_table.h"
#include "app/commands/value_json.h"

namespace df::app {
namespace {

using otap::Signal;
using Json = nlohmann::ordered_json;

/// Holes that a sentence names, and those that JSON does.
constexpr size_t kMostHolesNamed = 5;
constexpr size_t kMostHolesListed = 100;

/// "2026-11-26 14:00"
std::string ShowHour(int64_t hour) { return ShowMoment(NanosOfHour(hour)).substr(0, 16); }

std::string HourJson(int64_t hour) {
  std::string text = ShowMoment(NanosOfHour(hour));
  text[text.find(' ')] = 'T';
  return text;
}

std::string Cell(const std::map<Signal, int64_t>& items, Signal signal) {
  const auto found = items.find(signal);
  return found == items.end() ? "0" : ShowCount(found->second);
}

std::vector<TextTable::Column> ColumnsAfter(const std::string& title) {
  return {{title}, {"LOGS", true}, {"SPANS", true}, {"POINTS", true}};
}

Json ItemsJson(const std::map<Signal, int64_t>& items) {
  Json json = Json::object();
  for (const auto& [signal, count] : items) {
    json[std::string(otap::Name(signal))] = count;
  }
  return json;
}

int64_t SumOf(const std::optional<std::map<Signal, int64_t>>& items) {
  int64_t sum = 0;
  for (const auto& [signal, count] : items.value_or(std::map<Signal, int64_t>())) {
    sum += count;
  }
  return sum;
}

/// A line of JSON of a group; "null" is the value of items that have none.
std::optional<std::string> NameOfGroup(const std::string& json) {
  const Json value = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  return value.is_null()     ? std::nullopt
         : value.is_string() ? std::optional(value.get<std::string>())
                             : std::optional(json);
}

}  // namespace

std::string HoursText(const ItemsByHour& by_hour) {
  TextTable table(ColumnsAfter("HOUR"));
  for (const auto& [hour, items] : by_hour.hours) {
    std::vector<std::string> row = {ShowHour(hour)};
    for (const Signal signal : otap::kAllSignals) {
      row.push_back(Cell(items, signal) + (by_hour.MayHaveMore(signal, hour) ? "+" : ""));
    }
    table.Add(std::move(row));
  }
  const auto add = [&table](const std::string& title, const std::map<Signal, int64_t>& items) {
    if (!items.empty()) {
      table.Add({title, Cell(items, Signal::kLogs), Cell(items, Signal::kTraces),
                 Cell(items, Signal::kMetrics)});
    }
  };
  add("(not told)", by_hour.unplaced);
  add("(no time)", by_hour.without_time);
  return table.ToText();
}

Json HoursJson(const ItemsByHour& by_hour) {
  Json hours = Json::array();
  for (const auto& [hour, items] : by_hour.hours) {
    bool is_exact = true;
    for (const auto& [signal, ranges] : by_hour.of_unplaced) {
      is_exact = is_exact && !by_hour.MayHaveMore(signal, hour);
    }
    hours.push_back({{"hour", HourJson(hour)}, {"items", ItemsJson(items)}, {"exact", is_exact}});
  }
  return {{"hours", std::move(hours)},
          {"not_told", ItemsJson(by_hour.unplaced)},
          {"without_time", ItemsJson(by_hour.without_time)}};
}

ItemsByService NamesOnly(const ArchiveSummary& summary) {
  ItemsByService services;
  for (const std::string& name : summary.services) {
    services[name] = std::nullopt;
  }
  return services;
}

Result<ItemsByService> ReadItemsByService(Archive* archive) {
  ItemsByService services;
  for (const Signal signal : archive->options().signals) {
    std::vector<GroupField> fields(1);
    ARROW_ASSIGN_OR_RAISE(fields[0], FindGroupField("service", signal));
    ARROW_ASSIGN_OR_RAISE(const GroupCounts counts, CountBy(archive, fields, {signal}));
    for (const auto& [key, count] : counts.groups()) {
      auto& items = services[NameOfGroup(key.front())];
      items = items.value_or(std::map<Signal, int64_t>());
      (*items)[signal] += count;
    }
  }
  return services;
}

std::string ServicesText(const ItemsByService& services) {
  std::vector<std::pair<std::string, std::optional<std::map<Signal, int64_t>>>> rows;
  for (const auto& [name, items] : services) {
    std::string shown;
    AppendLine(name.value_or("-"), &shown);
    rows.emplace_back(std::move(shown), items);
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return SumOf(a.second) > SumOf(b.second); });
  TextTable table(ColumnsAfter("SERVICE"));
  for (const auto& [name, items] : rows) {
    std::vector<std::string> row = {name};
    for (const Signal signal : otap::kAllSignals) {
      row.push_back(items.has_value() ? Cell(*items, signal) : "?");
    }
    table.Add(std::move(row));
  }
  return table.ToText();
}

Json ServicesJson(const ItemsByService& services) {
  Json json = Json::array();
  for (const auto& [name, items] : services) {
    json.push_back({{"service", name.has_value() ? Json(*name) : Json()},
                    {"items", items.has_value() ? ItemsJson(*items) : Json()}});
  }
  return json;
}

std::map<Signal, std::vector<HourRange>> HolesOf(const Archive& archive) {
  std::map<Signal, std::vector<HourRange>> by_signal;
  for (const Signal signal : archive.options().signals) {
    auto holes = FindHoles(archive.RowGroupsOf(signal));
    if (holes.has_value() && !holes->empty()) {
      by_signal[signal] = *std::move(holes);
    }
  }
  return by_signal;
}

std::vector<std::string> DescribeHoles(const std::map<Signal, std::vector<HourRange>>& by_signal) {
  std::vector<std::string> sentences;
  for (const auto& [signal, holes] : by_signal) {
    int64_t num_hours = 0;
    std::vector<std::string> named;
    for (const HourRange& hole : holes) {
      num_hours += hole.last - hole.first + 1;
      if (named.size() < kMostHolesNamed) {
        named.push_back(fmt::format("{} to {}", ShowHour(hole.first), ShowHour(hole.last + 1)));
      }
    }
    const size_t num_more = holes.size() - named.size();
    sentences.push_back(fmt::format("{} without {}: {}{}", ShowCountOf(num_hours, "hour"),
                                    ItemsName(signal), fmt::join(named, ", "),
                                    num_more == 0 ? "" : fmt::format(" and {} more", num_more)));
  }
  return sentences;
}

Json HolesJson(const std::vector<HourRange>& holes) {
  Json json = Json::array();
  for (const HourRange& hole : holes) {
    if (json.size() < kMostHolesListed) {
      json.push_back({{"from", HourJson(hole.first)}, {"until", HourJson(hole.last + 1)}});
    }
  }
  return json;
}

}  // namespace df::app
