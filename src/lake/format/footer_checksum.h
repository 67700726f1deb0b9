// The checksum that our own writer keeps of a footer, which Parquet itself has none of.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace df::lake {

/// A key of the footer. Its value is the XXH64 of the serialized footer in hex, computed with the
/// value as it stands while it is not known.
inline constexpr std::string_view kFooterChecksumKey = "otap.footer_checksum";
inline constexpr std::string_view kUnknownFooterChecksum = "0000000000000000";

/// Where the value stands in a serialized footer; nothing where there is no such key.
std::optional<size_t> FindFooterChecksum(std::string_view footer);

/// What the value at `place` should be.
std::string ComputeFooterChecksum(std::string footer, size_t place);

}  // namespace df::lake
