// How files of our own exporter say whose they are.
#pragma once

namespace df::lake {

/// What our exporter writes into created_by. A program that rewrites a file puts its own name
/// there and may keep our keys.
inline constexpr const char* kOwnWriter = "df_engine";

}  // namespace df::lake
