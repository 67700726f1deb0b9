// Random valid batches of every signal, with everything that the model allows.
#pragma once

#include <random>

#include "otap/batch.h"
#include "testing/random_value.h"

namespace df::testing {

/// Shapes of a random batch. Probabilities are of [0, 1]. Setting one to 0 or 1 switches its
/// feature off or on.
struct RandomBatchOptions {
  int root_rows = 40;  ///< log records, spans or metrics; 0 gives a batch without tables
  int max_resources = 4;
  int max_scopes_per_resource = 3;
  int max_attributes = 4;  ///< of each record, resource, scope, event, link, point, exemplar
  int max_children = 3;    ///< events, links, points and exemplars of each parent

  double without_attributes = 0.4;  ///< share of entities without any
  double without_children = 0.3;    ///< share of spans, metrics and points without any
  double null_share = 0.2;          ///< nulls among values of optional columns
  double null_struct = 0.15;        ///< null rows of resource, scope, body, status and buckets
  double missing_column = 0.15;     ///< each optional column of each table
  double dictionary = 0.5;          ///< columns that are dictionaries where the model allows it
  double sliced = 0.3;              ///< tables whose arrays have an offset

  /// Events, links and exemplars without attributes have a null id, instead of the next number.
  bool null_ids_for_bare_children = false;

  /// Every table carries a null or number in every id column even where the encoder of the
  /// reference would leave the column out, as log ids do when no record has attributes.
  bool keep_empty_id_columns = false;

  /// Without it no resource or scope has attributes: the part of an upstream file that cannot
  /// always be joined.
  bool group_attributes = true;

  /// Leaves out what an upstream file cannot hold: is_monotonic, flags of spans and links,
  /// zero_threshold (format reference P42).
  bool upstream_columns_only = false;

  /// Exemplars without int and double value, and zero values in exemplars. An upstream file cannot
  /// tell the two apart.
  bool valueless_exemplars = true;

  RandomValueOptions values;
};

/// What an upstream file holds and gives back (JoinableUpstreamOptions): every id column is there,
/// and every row has a resource and a scope.
RandomBatchOptions JoinableUpstreamShape();

/// Returns a canonical batch with plain ids: resource ids count from 0 in row order, scope ids
/// count over the whole batch, every span and metric has an id, a log record only when it has
/// attributes, ids of points, events, links and exemplars count over the batch. Rows of one
/// resource and scope stand together. Equal options and engine state give an equal batch.
/// Aborts when a table cannot be built, which would be a defect of this code.
otap::BatchPtr RandomBatch(otap::Signal signal, const RandomBatchOptions& options,
                           RandomEngine& rng);

/// Returns `count` batches; their signals are drawn unless one is given.
std::vector<otap::BatchPtr> RandomBatches(int count, std::optional<otap::Signal> signal,
                                          const RandomBatchOptions& options, RandomEngine& rng);

}  // namespace df::testing
