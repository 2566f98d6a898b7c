// SPDX-License-Identifier: Apache-2.0
// Makes CAF's inspect out of the field tables, and carries our failures
// through caf::error. Everything that depends on CAF's version is here.
#pragma once

#include <string>
#include <tuple>

#include <caf/atom.hpp>
#include <caf/error.hpp>
#include <caf/make_message.hpp>
#include <caf/meta/type_name.hpp>

#include "actors/error.hpp"
#include "actors/ids.hpp"
#include "actors/schema/fields.hpp"

namespace forkfleet {

template <class Inspector, class Tag>
typename Inspector::result_type inspect(Inspector& f, tagged_id<Tag>& x) {
  return f(x.value);
}

template <class Inspector, schema::described T>
typename Inspector::result_type inspect(Inspector& f, T& x) {
  return std::apply(
    [&](const auto&... entry) {
      return f(caf::meta::type_name(T::about.name.data()),
               x.*(entry.member)...);
    },
    T::fields());
}

/// The category of our errors in a caf::error.
inline constexpr caf::atom_value error_category = caf::atom("forkfleet");

/// Our failure as an error that an actor answers with.
inline caf::error to_caf_error(const failure& x) {
  return {static_cast<uint8_t>(x.code), error_category,
          caf::make_message(x.message)};
}

inline caf::error to_caf_error(ec code, std::string message) {
  return to_caf_error(failure{code, std::move(message)});
}

/// What an error that came back from an actor means to us. CAF's own errors
/// say that nobody knows: a timeout is deadline_exceeded, a lost peer
/// node_down.
failure from_caf_error(const caf::error& x);

} // namespace forkfleet
