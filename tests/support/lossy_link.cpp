// SPDX-License-Identifier: Apache-2.0
#include "tests/support/lossy_link.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <utility>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

namespace forkfleet::test {

namespace {

using local_node = node_actor::extend<caf::reacts_to<caf::tick_atom>>;
using local_coordinator =
  coordinator_actor::extend<caf::reacts_to<caf::tick_atom>>;

struct proxy_state {
  static inline const char* name = "link";
  connection_ptr line = {};
  std::deque<std::function<void()>> parcels = {}; // by when they are due
  world::time_point last_due = {};
};

using node_proxy_pointer = local_node::stateful_pointer<proxy_state>;
using coordinator_proxy_pointer =
  local_coordinator::stateful_pointer<proxy_state>;

bool happens(const connection& line, uint64_t percent) {
  return percent > 0 && line.where->dice(100) < percent;
}

std::chrono::microseconds roll_delay(const connection& line) {
  const auto& weather = *line.weather;
  if (!happens(line, weather.delay_percent))
    return {};
  const auto most = static_cast<uint64_t>(weather.delay_max.count());
  return std::chrono::microseconds{line.where->dice(most)};
}

/// Lets a parcel travel: it is lost, or done after a while, in order.
template <class Self>
void post(Self self, std::function<void()> parcel) {
  auto& st = self->state;
  const auto& line = *st.line;
  if (line.is_cut || happens(line, line.weather->drop_percent))
    return;
  const auto now = self->clock().now();
  const auto due = std::max(st.last_due, now + roll_delay(line));
  if (due == now && st.parcels.empty())
    return parcel();
  st.last_due = due;
  st.parcels.push_back(std::move(parcel));
  self->delayed_send(self, due - now, caf::tick_atom_v);
}

template <class Self>
void on_due(Self self) {
  auto& st = self->state;
  if (st.parcels.empty())
    return;
  const auto parcel = std::move(st.parcels.front());
  st.parcels.pop_front();
  if (!st.line->is_cut)
    parcel();
}

/// Passes a request on and its answer back, each at its own risk. An error
/// of CAF's own is what a remote side would never say.
template <class Reply, class Self, class Target, class... Ts>
void send_once(Self self, const Target& target,
               caf::typed_response_promise<Reply> promise, const Ts&... xs) {
  post(self, [self, target, promise, xs...] {
    self->request(target, caf::infinite, xs...)
      .then(
        [self, promise](const Reply& reply) {
          post(self, [promise, reply]() mutable { promise.deliver(reply); });
        },
        [self, promise](const caf::error& error) {
          if (error.category() != error_category)
            return;
          post(self, [promise, error]() mutable { promise.deliver(error); });
        });
  });
}

template <class Reply, class Self, class Target, class... Ts>
caf::result<Reply> pass(Self self, const Target& target, const Ts&... xs) {
  auto promise = self->template make_response_promise<Reply>();
  send_once<Reply>(self, target, promise, xs...);
  const auto& line = *self->state.line;
  // The second copy's answer goes nowhere.
  if (happens(line, line.weather->double_percent))
    send_once<Reply>(self, target, caf::typed_response_promise<Reply>{}, xs...);
  return promise;
}

template <class Self>
void set_up(Self self, const connection_ptr& line) {
  self->state.line = line;
  self->set_default_handler(caf::drop);
}

local_node::behavior_type node_proxy(node_proxy_pointer self,
                                     const connection_ptr& line,
                                     const node_actor& target) {
  set_up(self, line);
  return {
    [self, target](const branch_request& x) {
      return pass<branch_report>(self, target, x);
    },
    [self, target](const operation_query& x) {
      return pass<operation_status>(self, target, x);
    },
    [self, target](const restore_request& x) {
      return pass<restore_report>(self, target, x);
    },
    [self, target](const stop_request& x) {
      return pass<done>(self, target, x);
    },
    [self, target](const remove_request& x) {
      return pass<done>(self, target, x);
    },
    [self, target](const cancel_request& x) {
      return pass<done>(self, target, x);
    },
    [self, target](const flatten_request& x) {
      return pass<done>(self, target, x);
    },
    [self, target](const verify_request& x) {
      return pass<verify_report>(self, target, x);
    },
    [self, target](const export_request& x) {
      return pass<archive_report>(self, target, x);
    },
    [self, target](const import_request& x) {
      return pass<archive_report>(self, target, x);
    },
    [self, target](const annotate_request& x) {
      return pass<inspect_report>(self, target, x);
    },
    [self, target](const inspect_request& x) {
      return pass<inspect_report>(self, target, x);
    },
    [self, target](const compare_request& x) {
      return pass<compare_report>(self, target, x);
    },
    [self, target](const exec_request& x) {
      return pass<exec_report>(self, target, x);
    },
    [self, target](const file_request& x) {
      return pass<file_report>(self, target, x);
    },
    [self, target](const console_request& x) {
      return pass<console_report>(self, target, x);
    },
    [self, target](const rollback_request& x) {
      return pass<restore_report>(self, target, x);
    },
    [self, target](const promote_request& x) {
      return pass<restore_report>(self, target, x);
    },
    [self, target](const fsck_request& x) {
      return pass<fsck_report>(self, target, x);
    },
    [self, target](const doctor_request& x) {
      return pass<doctor_report>(self, target, x);
    },
    [self](caf::tick_atom) { on_due(self); },
  };
}

/// A hello is never doubled: a node says it once over a connection.
caf::result<node_welcome> pass_hello(coordinator_proxy_pointer self,
                                     const coordinator_actor& target,
                                     const node_hello& hello,
                                     const node_actor& node) {
  auto promise = self->make_response_promise<node_welcome>();
  const auto& line = self->state.line;
  const auto proxy = self->spawn(node_proxy, line, node);
  line->own(caf::actor_cast<caf::strong_actor_ptr>(proxy));
  send_once<node_welcome>(self, target, promise, hello, node_actor{proxy});
  return promise;
}

/// Nor is what a node holds: it says one thing after the other.
template <class Message>
caf::result<done> pass_page(coordinator_proxy_pointer self,
                            const coordinator_actor& target,
                            const Message& message) {
  auto promise = self->make_response_promise<done>();
  send_once<done>(self, target, promise, message);
  return promise;
}

local_coordinator::behavior_type
coordinator_proxy(coordinator_proxy_pointer self, const connection_ptr& line,
                  const coordinator_actor& target) {
  set_up(self, line);
  return {
    [self, target](const branch_request& x) {
      return pass<branch_report>(self, target, x);
    },
    [self, target](const operation_query& x) {
      return pass<operation_status>(self, target, x);
    },
    [self, target](const restore_request& x) {
      return pass<restore_report>(self, target, x);
    },
    [self, target](const stop_request& x) {
      return pass<done>(self, target, x);
    },
    [self, target](const remove_request& x) {
      return pass<done>(self, target, x);
    },
    [self, target](const cancel_request& x) {
      return pass<done>(self, target, x);
    },
    [self, target](const flatten_request& x) {
      return pass<done>(self, target, x);
    },
    [self, target](const verify_request& x) {
      return pass<verify_report>(self, target, x);
    },
    [self, target](const export_request& x) {
      return pass<archive_report>(self, target, x);
    },
    [self, target](const import_request& x) {
      return pass<archive_report>(self, target, x);
    },
    [self, target](const annotate_request& x) {
      return pass<inspect_report>(self, target, x);
    },
    [self, target](const inspect_request& x) {
      return pass<inspect_report>(self, target, x);
    },
    [self, target](const compare_request& x) {
      return pass<compare_report>(self, target, x);
    },
    [self, target](const exec_request& x) {
      return pass<exec_report>(self, target, x);
    },
    [self, target](const file_request& x) {
      return pass<file_report>(self, target, x);
    },
    [self, target](const console_request& x) {
      return pass<console_report>(self, target, x);
    },
    [self, target](const rollback_request& x) {
      return pass<restore_report>(self, target, x);
    },
    [self, target](const promote_request& x) {
      return pass<restore_report>(self, target, x);
    },
    [self, target](const fsck_request& x) {
      return pass<fsck_report>(self, target, x);
    },
    [self, target](const doctor_request& x) {
      return pass<doctor_report>(self, target, x);
    },
    [self, target](const nodes_request& x) {
      return pass<node_list>(self, target, x);
    },
    [self, target](const sandboxes_request& x) {
      return pass<sandbox_list>(self, target, x);
    },
    [self, target](const snapshots_request& x) {
      return pass<snapshot_list>(self, target, x);
    },
    [self, target](const events_request& x) {
      return pass<event_list>(self, target, x);
    },
    [self, target](const node_hello& x, const node_actor& node) {
      return pass_hello(self, target, x, node);
    },
    [self, target](const inventory_page& x) {
      return pass_page(self, target, x);
    },
    [self, target](const node_heartbeat& x) {
      return pass<heartbeat_ack>(self, target, x);
    },
    [self, target](const node_events& x) { return pass_page(self, target, x); },
    [self, target](const node_goodbye& x) {
      return pass<done>(self, target, x);
    },
    [self](caf::tick_atom) { on_due(self); },
  };
}

} // namespace

void connection::own(const caf::strong_actor_ptr& proxy) {
  ends.push_back(caf::actor_cast<caf::weak_actor_ptr>(proxy));
  where->keep(proxy);
}

void connection::break_off() {
  is_cut = true;
  for (const auto& end : ends)
    if (const auto alive = caf::actor_cast<caf::strong_actor_ptr>(end))
      where->kill(alive);
  ends.clear();
}

coordinator_actor link_to(const connection_ptr& line,
                          const coordinator_actor& target) {
  const auto proxy = line->where->spawn(coordinator_proxy, line, target);
  line->own(caf::actor_cast<caf::strong_actor_ptr>(proxy));
  return proxy;
}

} // namespace forkfleet::test
