// Keys that several kinds of section have in common.
#pragma once

#include <utility>

#include "config/field.h"

namespace df::config {

/// Returns the keys of a base of `S` as keys of an `S`.
template <typename S, typename Base>
FieldTable<S> Inherit(const FieldTable<Base>& table) {
  FieldTable<S> result;
  for (const Field<Base>& inner : table) {
    Field<S> field{.name = inner.name,
                   .type = inner.type,
                   .description = inner.description,
                   .read = inner.read,
                   .show = inner.show,
                   .write = inner.write,
                   .effective = inner.effective,
                   .schema = inner.schema,
                   .is_required = inner.is_required,
                   .is_text = inner.is_text,
                   .refusal = inner.refusal,
                   .is_printed_when_given = inner.is_printed_when_given,
                   .older_form_of = inner.older_form_of};
    result.push_back(std::move(field));
  }
  return result;
}

}  // namespace df::config
