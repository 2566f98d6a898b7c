// SPDX-License-Identifier: Apache-2.0
#include "actors/link/scribe.hpp"

#include <caf/actor_system.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/scribe_impl.hpp>

namespace forkfleet {

caf::io::scribe_ptr make_scribe(caf::actor_system& sys, owned_fd end) {
  using caf::io::network::default_multiplexer;
  auto& backend = sys.middleman().backend();
  return caf::make_counted<caf::io::network::scribe_impl>(
    static_cast<default_multiplexer&>(backend), end.release());
}

} // namespace forkfleet
