// What inspect prints of hours and services.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "app/commands/archive.h"
#include "app/commands/archive_hours.h"
#include "app/commands/archive_summary.h"

namespace df::app {

/// Returns a line for each hour, and what belongs to none; '+' marks what may be more.
std::string HoursText(const ItemsByHour& by_hour);
nlohmann::ordered_json HoursJson(const ItemsByHour& by_hour);

/// The items of each service by their signals; nothing where only names are known. A service of
/// null stands for items without one.
using ItemsByService =
    std::map<std::optional<std::string>, std::optional<std::map<otap::Signal, int64_t>>>;

/// Returns the names that were found, without numbers.
ItemsByService NamesOnly(const ArchiveSummary& summary);

/// Counts items by service. Errors: as Archive::Read. Cost: reading all of the archive.
Result<ItemsByService> ReadItemsByService(Archive* archive);

/// Returns a line for each service, the one with most items first.
std::string ServicesText(const ItemsByService& services);
nlohmann::ordered_json ServicesJson(const ItemsByService& services);

/// Holes of an archive, for each signal that has any; those of signals whose times are not known
/// are left out.
std::map<otap::Signal, std::vector<HourRange>> HolesOf(const Archive& archive);

/// Returns a sentence for each signal with holes, which names the first ones.
std::vector<std::string> DescribeHoles(const std::map<otap::Signal, std::vector<HourRange>>& holes);

/// Returns the first holes of a signal, {from, until}, at most 100.
nlohmann::ordered_json HolesJson(const std::vector<HourRange>& holes);

}  // namespace df::app
