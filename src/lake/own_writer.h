// How files of our own exporter say whose they are.
#pragma once

namespace df::lake {

/// What the exporter writes into created_by. Whoever writes a file anew puts a name of its own
/// there, and may keep the keys.
inline constexpr const char* kOwnWriter = "df_engine";

}  // namespace df::lake
