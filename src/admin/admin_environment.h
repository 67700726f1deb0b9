// What the admin server needs of the machine.
#pragma once

#include "config/engine_settings.h"
#include "engine/environment.h"

namespace df::admin {

/// Adds that nobody listens at its address yet, and that its certificate, key and token are good.
/// `section` is `engine.http_admin` as written, without problems.
void AddAdminChecks(const config::Section& section, const config::AdminSettings& settings,
                    engine::EnvironmentChecks* checks);

}  // namespace df::admin
