// SPDX-License-Identifier: Apache-2.0
#include "node/uplink.hpp"

#include <algorithm>
#include <utility>

#include "actors/log.hpp"

namespace forkfleet::uplink {

namespace {

using link = uplink_state::link;

constexpr auto dial_limit = std::chrono::seconds{5};
constexpr auto answer_limit = std::chrono::seconds{5};
constexpr std::size_t entries_per_page = 40;
constexpr std::size_t events_per_message = 100;
constexpr std::size_t outbox_max = 2000;
/// A coordinator whose actor stays silent for so many heartbeats is gone,
/// even if its network thread lives.
constexpr uint64_t missed_max = 3;
constexpr auto heartbeat_min = milliseconds{10};
constexpr auto heartbeat_max = milliseconds{60'000};

void remind(node_pointer self, reminder which, caf::timespan after) {
  self->delayed_send(
    self, after,
    tick{static_cast<uint8_t>(which), self->state.uplink.connection});
}

/// Between half of the wait and all of it, so that nodes do not come at once.
milliseconds jittered(uplink_state& up) {
  up.dice = up.dice * 6364136223846793005ull + 1442695040888963407ull;
  const auto half = std::max<int64_t>(1, up.backoff.count() / 2);
  return milliseconds{
    half + static_cast<int64_t>((up.dice >> 33) % static_cast<uint64_t>(half))};
}

/// Forgets the connection and dials again after a while. What the next hello
/// tells anyway is dropped; events are kept.
void lost(node_pointer self, const std::string& why) {
  auto& up = self->state.uplink;
  if (up.where == link::down)
    return;
  if (up.where == link::joined)
    log::warn("coordinator.lost",
              {{"host", self->state.settings.host.value}, {"reason", why}});
  if (up.coordinator)
    self->demonitor(up.coordinator.address());
  up.coordinator = coordinator_actor{};
  up.where = link::down;
  up.sending = false;
  ++up.connection;
  std::erase_if(up.outbox, [](const uplink_state::item& x) {
    return std::holds_alternative<inventory_page>(x);
  });
  remind(self, reminder::dial, jittered(up));
  up.backoff = std::min(up.backoff * 2, self->state.settings.reconnect_max);
}

inventory_page blank_page(node_pointer self) {
  return {.host = self->state.settings.host,
          .incarnation = self->state.settings.incarnation,
          .life = self->state.settings.life};
}

/// All that this node holds, in pages; the last one is marked.
std::deque<uplink_state::item> full_inventory(node_pointer self) {
  auto pages = std::vector<inventory_page>{};
  std::size_t in_page = entries_per_page;
  auto page = [&]() -> inventory_page& {
    if (in_page >= entries_per_page) {
      pages.push_back(blank_page(self));
      pages.back().whole = true;
      in_page = 0;
    }
    ++in_page;
    return pages.back();
  };
  for (const auto& [id, managed] : self->state.sandboxes)
    page().sandboxes.push_back(managed.info);
  for (const auto& [tag, info] : self->state.snapshots)
    page().snapshots.push_back(info);
  for (const auto& known : self->state.operations.list())
    page().operations.push_back(known);
  if (pages.empty())
    page();
  pages.back().last = true;
  return {pages.begin(), pages.end()};
}

void pump(node_pointer self);

template <class Message>
void send_item(node_pointer self, const Message& message) {
  auto& up = self->state.uplink;
  up.sending = true;
  const auto connection = up.connection;
  self->request(up.coordinator, caf::timespan{answer_limit}, message)
    .then(
      [self, connection](const done&) {
        auto& link_now = self->state.uplink;
        if (link_now.connection != connection)
          return;
        link_now.sending = false;
        if (!link_now.outbox.empty())
          link_now.outbox.pop_front();
        pump(self);
      },
      [self, connection](const caf::error& error) {
        if (self->state.uplink.connection != connection)
          return;
        // Who is not there is waited for; a refusal needs a person.
        const auto why = from_caf_error(error);
        if (group_of(why.code) == ec_group::fix_request)
          log::warn(
            "connection.refused",
            {{"host", self->state.settings.host.value}, {"reason", why}});
        lost(self, to_string(why));
      });
}

/// Sends the next message unless one is under way. It stays in the outbox
/// until it is acknowledged.
void pump(node_pointer self) {
  auto& up = self->state.uplink;
  if (up.where != link::joined || up.sending || up.outbox.empty())
    return;
  std::visit([self](const auto& x) { send_item(self, x); }, up.outbox.front());
}

void push_page(node_pointer self, inventory_page page) {
  // Without a connection the next full inventory says it all.
  if (self->state.uplink.where != link::joined)
    return;
  if (self->state.uplink.outbox.size() >= outbox_max)
    return lost(self, "it takes changes more slowly than they come");
  self->state.uplink.outbox.push_back(std::move(page));
  pump(self);
}

void joined(node_pointer self, const node_welcome& welcome) {
  auto& up = self->state.uplink;
  if (auto good = obey(self, welcome.epoch); !good) {
    log::warn("coordinator.refused",
              {{"host", self->state.settings.host}, {"reason", good.error()}});
    return lost(self, good.error().message);
  }
  up.where = link::joined;
  up.heartbeat = std::clamp(welcome.heartbeat, heartbeat_min, heartbeat_max);
  up.backoff = self->state.settings.reconnect_min;
  up.missed = 0;
  up.sending = false;
  auto pages = full_inventory(self);
  up.outbox.insert(up.outbox.begin(), pages.begin(), pages.end());
  log::info("coordinator.joined", {{"host", self->state.settings.host.value},
                                   {"epoch", std::to_string(welcome.epoch)}});
  if (const auto dropped = std::exchange(up.events_dropped, 0); dropped > 0)
    log::warn("events.dropped",
              {{"host", self->state.settings.host}, {"events", dropped}});
  remind(self, reminder::heartbeat, up.heartbeat);
  pump(self);
}

void say_hello(node_pointer self) {
  auto& st = self->state;
  st.uplink.where = link::joining;
  const auto connection = st.uplink.connection;
  auto hello = node_hello{.host = st.settings.host,
                          .identity = st.settings.identity,
                          .incarnation = st.settings.incarnation,
                          .life = st.settings.life,
                          .epoch_seen = st.uplink.epoch,
                          .version = st.settings.version,
                          .data = st.settings.data,
                          .file_system = st.services.store->file_system(),
                          .accelerator = st.settings.accelerator,
                          .limits = st.settings.limits_text,
                          .network = st.settings.network_text,
                          .confinement = st.settings.confinement_text,
                          .load = st.load};
  self
    ->request(st.uplink.coordinator, caf::timespan{answer_limit},
              std::move(hello), node_actor{self})
    .then(
      [self, connection](const node_welcome& welcome) {
        if (self->state.uplink.connection == connection)
          joined(self, welcome);
      },
      [self, connection](const caf::error& error) {
        if (self->state.uplink.connection != connection)
          return;
        log::warn("hello.refused",
                  {{"host", self->state.settings.host.value},
                   {"reason", to_string(from_caf_error(error))}});
        lost(self, "hello failed");
      });
}

void dial(node_pointer self) {
  auto& up = self->state.uplink;
  if (up.where != link::down || self->state.draining)
    return;
  up.where = link::connecting;
  const auto connection = ++up.connection;
  self
    ->request(self->state.connector, caf::timespan{dial_limit},
              connect_request{})
    .then(
      [self, connection](const coordinator_actor& coordinator) {
        auto& link_now = self->state.uplink;
        if (link_now.connection != connection)
          return;
        // Always the new handle: an old one may compare equal and be dead.
        link_now.coordinator = coordinator;
        self->monitor(coordinator);
        say_hello(self);
      },
      [self, connection](const caf::error& error) {
        if (self->state.uplink.connection == connection)
          lost(self, to_string(from_caf_error(error)));
      });
}

void on_heartbeat_answer(node_pointer self, const heartbeat_ack& ack) {
  auto& up = self->state.uplink;
  up.missed = 0;
  up.epoch = std::max(up.epoch, ack.epoch);
  if (!ack.known)
    lost(self, "the coordinator does not know this node any more");
}

void send_heartbeat(node_pointer self) {
  auto& st = self->state;
  auto& up = st.uplink;
  const auto connection = up.connection;
  auto beat = node_heartbeat{.host = st.settings.host,
                             .incarnation = st.settings.incarnation,
                             .life = st.settings.life,
                             .sequence = ++up.heartbeat_sequence,
                             .load = st.load};
  self
    ->request(up.coordinator, caf::timespan{up.heartbeat * 3}, std::move(beat))
    .then(
      [self, connection](const heartbeat_ack& ack) {
        if (self->state.uplink.connection == connection)
          on_heartbeat_answer(self, ack);
      },
      [](const caf::error&) {
        // Counted in `missed`; the next reminder decides.
      });
}

void show_life(node_pointer self) {
  auto& up = self->state.uplink;
  if (up.where != link::joined)
    return;
  if (up.missed >= missed_max)
    return lost(self,
                "no answer to " + std::to_string(missed_max) + " heartbeats");
  ++up.missed;
  send_heartbeat(self);
  remind(self, reminder::heartbeat, up.heartbeat);
}

} // namespace

void start(node_pointer self) {
  auto& up = self->state.uplink;
  up.backoff = self->state.settings.reconnect_min;
  up.dice = self->state.settings.seed | 1u;
  dial(self);
}

void on_reminder(node_pointer self, const tick& which) {
  if (which.round != self->state.uplink.connection)
    return;
  if (static_cast<reminder>(which.which) == reminder::dial)
    dial(self);
  else
    show_life(self);
}

void on_down(node_pointer self, const caf::actor_addr& whom) {
  const auto& up = self->state.uplink;
  if (up.coordinator && up.coordinator.address() == whom)
    lost(self, "its connection ended");
}

void tell(node_pointer self, const sandbox_info& changed) {
  auto page = blank_page(self);
  page.sandboxes.push_back(changed);
  push_page(self, std::move(page));
}

void tell(node_pointer self, const snapshot_info& sealed) {
  auto page = blank_page(self);
  page.snapshots.push_back(sealed);
  push_page(self, std::move(page));
}

void tell(node_pointer self, const operation_status& changed) {
  auto page = blank_page(self);
  page.operations.push_back(changed);
  push_page(self, std::move(page));
}

void tell_removed(node_pointer self, const sandbox_id& removed) {
  auto page = blank_page(self);
  page.removed_sandboxes.push_back(removed);
  push_page(self, std::move(page));
}

void tell_removed(node_pointer self, const snapshot_tag& removed) {
  auto page = blank_page(self);
  page.removed_snapshots.push_back(removed);
  push_page(self, std::move(page));
}

void tell(node_pointer self, const fleet_event& happened) {
  auto& up = self->state.uplink;
  // The first message may be under way: it must not grow.
  const bool back_is_open = up.outbox.size() > (up.sending ? 1u : 0u);
  auto* batch =
    back_is_open ? std::get_if<node_events>(&up.outbox.back()) : nullptr;
  if (batch != nullptr && batch->events.size() < events_per_message) {
    batch->events.push_back(happened);
  } else if (up.outbox.size() < outbox_max) {
    up.outbox.emplace_back(
      node_events{.host = self->state.settings.host,
                  .incarnation = self->state.settings.incarnation,
                  .life = self->state.settings.life,
                  .events = {happened}});
  } else {
    ++up.events_dropped;
  }
  pump(self);
}

void leave(node_pointer self, std::function<void()> then) {
  auto& up = self->state.uplink;
  if (up.where != link::joined)
    return then();
  auto goodbye = node_goodbye{.host = self->state.settings.host,
                              .incarnation = self->state.settings.incarnation,
                              .life = self->state.settings.life};
  self
    ->request(up.coordinator, caf::timespan{std::chrono::seconds{1}},
              std::move(goodbye))
    .then([then](const done&) { then(); },
          [then](const caf::error&) { then(); });
}

void tell_load(node_pointer self) {
  if (self->state.uplink.where == link::joined)
    send_heartbeat(self);
}

status obey(node_pointer self, uint64_t epoch) {
  auto& up = self->state.uplink;
  if (epoch < up.epoch)
    return fail(ec::not_permitted,
                "a coordinator of epoch " + std::to_string(epoch)
                  + " is out of date; epoch " + std::to_string(up.epoch)
                  + " is in force");
  up.epoch = epoch;
  return {};
}

} // namespace forkfleet::uplink
