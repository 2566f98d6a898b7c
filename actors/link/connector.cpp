// SPDX-License-Identifier: Apache-2.0
#include "actors/link/connector.hpp"

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include <caf/exit_reason.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/send.hpp>

#include "actors/harden.hpp"
#include "actors/link/scribe.hpp"

namespace forkfleet {

class dial_outcome {
public:
  void put(expected<owned_fd> x) {
    const auto lock = std::lock_guard{mutex_};
    connection_ = std::move(x);
  }
  void put_ending(const failure& why) {
    const auto lock = std::lock_guard{mutex_};
    ending_ = why;
  }
  expected<owned_fd> take() {
    const auto lock = std::lock_guard{mutex_};
    return std::move(connection_);
  }
  failure ending() const {
    const auto lock = std::lock_guard{mutex_};
    return ending_;
  }

private:
  mutable std::mutex mutex_;
  expected<owned_fd> connection_ = fail(ec::interrupted, "not dialled yet");
  failure ending_;
};

namespace {

using self_ptr = connector_internal::stateful_pointer<connector_state>;
using promised = caf::typed_response_promise<coordinator_actor>;
using names = std::set<std::string>;

// What CAF's handshake gets at least, however long the dial took.
constexpr milliseconds handshake_min{200};

caf::result<coordinator_actor> on_connect(self_ptr self,
                                          const connect_request& request) {
  auto& state = self->state;
  // Else CAF would see the same peer twice, and hand out the older route.
  if (state.current != 0)
    state.dialler->drop(state.current);
  auto promise = self->make_response_promise<coordinator_actor>();
  auto outcome = std::make_shared<dial_outcome>();
  const auto key = ++state.dials_made;
  state.dials[key] = {promise, self->clock().now() + request.timeout, outcome,
                      0};
  const auto me = caf::actor_cast<connector_internal>(self);
  state.current = state.dialler->dial(
    state.where, state.tls, request.timeout,
    {.dialled =
       [me, key, outcome](expected<owned_fd> x) {
         outcome->put(std::move(x));
         caf::anon_send(me, dial_ended{key});
       },
     .closed = [outcome](const failure& why) { outcome->put_ending(why); }});
  state.dials[key].number = state.current;
  return promise;
}

void deliver_handle(self_ptr self, promised promise,
                    const caf::strong_actor_ptr& found, const names& messages) {
  const auto where = to_string(self->state.where);
  if (!found)
    promise.deliver(
      to_caf_error(ec::not_ready, where + ": no coordinator there yet"));
  else if (!self->system().assignable<coordinator_actor>(messages))
    promise.deliver(to_caf_error(
      ec::not_permitted, where + ": speaks another version's messages"));
  else
    promise.deliver(caf::actor_cast<coordinator_actor>(found));
}

failure why_refused(self_ptr self, const dial_outcome& outcome) {
  const auto where = to_string(self->state.where);
  const auto ending = outcome.ending();
  if (ending)
    return {ending.code, where + ": " + ending.message};
  return {ec::node_down, where + ": no answer to the handshake"};
}

// What waited for this dial, once: whoever takes it has to answer.
std::optional<connector_state::pending> take_pending(self_ptr self,
                                                     uint64_t key) {
  auto entry = self->state.dials.extract(key);
  if (entry.empty())
    return {};
  return std::move(entry.mapped());
}

void on_handshake_failed(self_ptr self, uint64_t key) {
  auto waiting = take_pending(self, key);
  if (!waiting)
    return;
  self->state.dialler->drop(waiting->number);
  waiting->promise.deliver(to_caf_error(why_refused(self, *waiting->outcome)));
}

// The entry stays through CAF's handshake: an exit meanwhile answers it.
void on_dialled(self_ptr self, const dial_ended& x) {
  const auto entry = self->state.dials.find(x.dial);
  if (entry == self->state.dials.end())
    return;
  auto connection = entry->second.outcome->take();
  if (!connection) {
    auto waiting = take_pending(self, x.dial);
    waiting->promise.deliver(to_caf_error(connection.error()));
    return;
  }
  const auto broker =
    self->system().middleman().named_broker<caf::io::basp_broker>(
      caf::atom("BASP"));
  const auto left = entry->second.until - self->clock().now();
  const auto limit = std::max<caf::timespan>(left, handshake_min);
  self
    ->request(broker, limit, caf::connect_atom_v,
              make_scribe(self->system(), std::move(*connection)), uint16_t{0})
    .then(
      [self, key = x.dial](const caf::node_id&,
                           const caf::strong_actor_ptr& found,
                           const names& messages) {
        if (auto waiting = take_pending(self, key))
          deliver_handle(self, waiting->promise, found, messages);
      },
      [self, key = x.dial](const caf::error&) {
        on_handshake_failed(self, key);
      });
}

void on_exit(self_ptr self, const caf::exit_msg& x) {
  for (auto& [key, dial] : self->state.dials)
    dial.promise.deliver(
      to_caf_error(ec::shutting_down, "this program is ending"));
  self->state.dials.clear();
  self->quit(x.reason);
}

} // namespace

connector_internal::behavior_type connector(self_ptr self,
                                            std::shared_ptr<guard> dialler,
                                            link_endpoint where,
                                            tls_material tls) {
  harden(self);
  self->set_exit_handler([self](caf::exit_msg& x) { on_exit(self, x); });
  self->state.dialler = std::move(dialler);
  self->state.where = std::move(where);
  self->state.tls = std::move(tls);
  return {
    [self](const connect_request& x) { return on_connect(self, x); },
    [self](const dial_ended& x) { on_dialled(self, x); },
  };
}

} // namespace forkfleet
