// The acceptance scenarios of the engine, each a run of the built program.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "scenarios/trial.h"

namespace df::scenarios {

struct Scenario {
  std::string id;     ///< "S-01"
  std::string title;  ///< what is tried, a few words
  std::function<void(Trial&)> run;
};

std::vector<Scenario> RoundTrips();
std::vector<Scenario> OddTrees();
std::vector<Scenario> Following();
std::vector<Scenario> Questions();
std::vector<Scenario> Faults();
std::vector<Scenario> Scale();

}  // namespace df::scenarios
