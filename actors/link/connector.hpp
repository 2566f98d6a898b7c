// SPDX-License-Identifier: Apache-2.0
// The CONNECTOR: has the guard dial the COORDINATOR, hands the checked
// connection to CAF, and answers with the handle that CAF makes of it.
#pragma once

#include <map>
#include <memory>

#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/interfaces.hpp"
#include "actors/link/guard.hpp"
#include "actors/link/messages.hpp"

namespace forkfleet {

/// The CONNECTOR, with the message that the guard sends it.
using connector_internal = connector_actor::extend<caf::reacts_to<dial_ended>>;

/// Where the guard's thread leaves what became of one dial.
class dial_outcome;

struct connector_state {
  static inline const char* name = "connector";

  /// A dial that somebody waits for.
  struct pending {
    caf::typed_response_promise<coordinator_actor> promise;
    caf::actor_clock::time_point until;
    std::shared_ptr<dial_outcome> outcome;
    /// The guard's number of it.
    uint64_t number = 0;
  };

  std::shared_ptr<guard> dialler;
  link_endpoint where;
  tls_material tls;
  std::map<uint64_t, pending> dials;
  uint64_t dials_made = 0;
  /// The guard's number of the latest dial, whose connection is in use or
  /// will be; 0 for none.
  uint64_t current = 0;
};

/// Spawned by `fleet_link::connector`, whose contract this keeps.
connector_internal::behavior_type
connector(connector_internal::stateful_pointer<connector_state> self,
          std::shared_ptr<guard> dialler, link_endpoint where,
          tls_material tls);

} // namespace forkfleet
