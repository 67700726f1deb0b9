// What stores answer when they refuse, in the words of those who can mend it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "storage/store_counters.h"
#include "storage/store_uri.h"

namespace df::storage {

/// What a status says of a file of which there is another version by now.
inline constexpr std::string_view kReplacedText = "the file was replaced while it was read";

/// What a status says of an answer with fewer bytes than were asked for.
inline constexpr std::string_view kCutOffText = "the answer ended early";

/// What a failed request means for the next one.
enum class Failure : uint8_t {
  kMayPass,    ///< the network, the server
  kCutOff,     ///< an answer that ended early, as RetriedFile says it
  kThrottled,  ///< the store asks for fewer requests
  kNotFound,   ///< no such bucket or object
  kDenied,     ///< the keys are wrong, or may not do this
  kRegion,     ///< the bucket is in another region, or behind another endpoint
  kReplaced,   ///< there is another version of the object than the one that was opened
  kClock,      ///< the clock of this machine differs too much from the store's
  kTls,        ///< the certificate does not fit
  kPermanent,  ///< anything else that stays as it is
};

/// Tells what the status of a request to a store means; it must not be OK. Source: the texts of
/// Arrow's file systems, which give no codes.
Failure FailureOf(StoreKind kind, const Status& status);

inline bool MayPass(Failure failure) {
  return failure == Failure::kMayPass || failure == Failure::kCutOff ||
         failure == Failure::kThrottled;
}

/// Tells whether a status says that a file was replaced while it was read, whatever was added to
/// it.
inline bool IsReplaced(const Status& status) {
  return status.message().find(kReplacedText) != std::string::npos;
}

/// Returns an IOError that says what was refused and what to do: the permission that is missing,
/// the setting that is wrong. Local errors come back as they are.
Status ExplainFailure(const StoreUri& uri, Operation operation, std::string_view path,
                      const Status& status);

}  // namespace df::storage
