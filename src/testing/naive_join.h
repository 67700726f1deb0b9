// Batches as sorted lines of text, one per record: slow, obvious, and written apart from the code
// that it checks.
#pragma once

#include <string>
#include <vector>

#include "otap/batch.h"

namespace df::testing {

/// Returns one line for each log record, span, data point and metric without data points, with all
/// its fields, its resource and scope, and all attributes, events, links and exemplars; sorted, so
/// that two lists are equal when the batches hold the same records, however they are grouped,
/// ordered, numbered or typed.
///
/// Equal are: null, absent and the default of a column (0, 0.0, "", all-zero bytes, empty list);
/// null and empty structs; any order of rows, attributes, events, links, exemplars. Different are:
/// unset and 0.0 of sum, min and max of histograms; unset and zero of int_value and double_value;
/// 0.0 and -0.0 where a value is set; NaN of different bits; one and two equal records; one and two
/// equal attributes; type 4 without a value and with false.
///
/// Rows whose parent is not in their batch appear nowhere. A child of an id that occurs twice
/// appears under both. Needs plain ids. Aborts on types outside the model.
std::vector<std::string> CanonicalRecords(const std::vector<otap::BatchPtr>& batches);

/// Returns what is only in one of two sorted lists, at most `limit` lines, each behind "-" (only in
/// `expected`) or "+" (only in `actual`); "" when they are equal. For messages of failed tests.
std::string DescribeDifference(const std::vector<std::string>& expected,
                               const std::vector<std::string>& actual, size_t limit = 6);

}  // namespace df::testing
