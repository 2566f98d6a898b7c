// SPDX-License-Identifier: Apache-2.0
// When a request must be asked for again, by its operation.
#pragma once

#include "actors/error.hpp"

namespace forkfleet::shell {

/// Whether this error leaves open what became of a request. A fleet that is
/// not ready only does after an answer was lost.
inline bool is_open(const failure& x, bool is_lost) {
  return group_of(x.code) == ec_group::unknown
         || (is_lost && x.code == ec::not_ready);
}

} // namespace forkfleet::shell
