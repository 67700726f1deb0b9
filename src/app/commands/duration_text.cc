#include "app/commands/duration_text.h"

#include <array>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

namespace df::app {

std::string ShowDuration(int64_t nanos) {
  struct Unit {
    double nanos;
    std::string_view name;
  };
  constexpr std::array<Unit, 4> kUnits = {{{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}}};
  const auto number = static_cast<double>(nanos);
  for (const Unit& unit : kUnits) {
    if (std::abs(number) >= unit.nanos) {
      const double units = number / unit.nanos;
      return unit.nanos == 1            ? fmt::format("{:.0f}ns", units)
             : std::abs(units) >= 1'000 ? fmt::format("{:.0f}{}", units, unit.name)
                                        : fmt::format("{:.4g}{}", units, unit.name);
    }
  }
  return "0s";
}

}  // namespace df::app
