// SPDX-License-Identifier: Apache-2.0
// A connection as CAF wants it.
#pragma once

#include <caf/fwd.hpp>
#include <caf/io/scribe.hpp>

#include "actors/link/owned_fd.hpp"

namespace forkfleet {

/// Takes CAF's end of a connection. The system must have `network`.
caf::io::scribe_ptr make_scribe(caf::actor_system& sys, owned_fd end);

} // namespace forkfleet
