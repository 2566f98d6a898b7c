// SPDX-License-Identifier: Apache-2.0
#include "actors/link/link.hpp"

#include <memory>
#include <string>
#include <vector>

#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/scoped_execution_unit.hpp>
#include <caf/send.hpp>

#include "actors/link/connector.hpp"
#include "actors/link/guard.hpp"
#include "actors/link/scribe.hpp"

namespace forkfleet {

namespace {

// BASP's table of what is published is keyed by a port. Nothing listens on
// this one; all our listeners publish the one coordinator.
constexpr uint16_t published_as = 1;

std::string bytes_of(caf::actor_system& sys, caf::node_id node) {
  auto context = caf::scoped_execution_unit{&sys};
  auto bytes = std::vector<char>{};
  auto sink = caf::binary_serializer{&context, bytes};
  if (sink(node))
    return {};
  return {bytes.begin(), bytes.end()};
}

status check_identity(const std::string& identity, const host_name& host) {
  if (identity == "loopback" || identity == "node:" + host.value)
    return {};
  if (identity.empty())
    return fail(ec::not_permitted, host.value + ": its connection is gone");
  return fail(ec::not_permitted, "the certificate of " + identity
                                   + " does not speak for host " + host.value);
}

} // namespace

class fleet_link::impl {
public:
  impl(caf::actor_system& sys, const link_limits& limits)
    : sys_(sys),
      guard_(std::make_shared<guard>(limits, bytes_of(sys, sys.node()))) {
    // nop
  }

  expected<uint16_t> listen(const link_endpoint& where, const tls_material& tls,
                            const coordinator_actor& coordinator) {
    auto accept = [this, whom = caf::actor_cast<caf::strong_actor_ptr>(
                           coordinator)](owned_fd end) {
      const auto broker =
        sys_.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
      caf::anon_send(broker, caf::publish_atom_v,
                     make_scribe(sys_, std::move(end)), published_as, whom,
                     sys_.message_types<coordinator_actor>());
    };
    return guard_->listen(where, tls, std::move(accept));
  }

  connector_actor connector(const link_endpoint& where,
                            const tls_material& tls) {
    auto made = sys_.spawn(forkfleet::connector, guard_, where, tls);
    if (is_over_)
      caf::anon_send_exit(made, caf::exit_reason::user_shutdown);
    else
      connectors_.push_back(made);
    return made;
  }

  std::string identity_behind(const node_actor& handle) const {
    return guard_->identity_of(bytes_of(sys_, handle.node()));
  }

  peer_check check_peer() const {
    return [shared = std::weak_ptr{guard_}, sys = &sys_](
             const node_actor& handle, const host_name& host) -> status {
      const auto alive = shared.lock();
      if (!alive)
        return fail(ec::shutting_down, "this program is ending");
      return check_identity(alive->identity_of(bytes_of(*sys, handle.node())),
                            host);
    };
  }

  subject_lookup subjects() const {
    return [shared = std::weak_ptr{guard_},
            sys = &sys_](const caf::node_id& node) {
      const auto alive = shared.lock();
      return alive ? alive->subject_of(bytes_of(*sys, node)) : access_subject{};
    };
  }

  void deny(std::vector<std::string> entries) {
    guard_->deny(std::move(entries));
  }

  link_counters counters() const { return guard_->counters(); }

  void shut_down() {
    is_over_ = true;
    for (const auto& x : connectors_)
      caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
    connectors_.clear();
    guard_->shut_down();
  }

private:
  caf::actor_system& sys_;
  std::shared_ptr<guard> guard_;
  std::vector<connector_actor> connectors_;
  bool is_over_ = false;
};

fleet_link::fleet_link(caf::actor_system& sys, const link_limits& limits)
  : impl_(std::make_unique<impl>(sys, limits)) {
  // nop
}

fleet_link::~fleet_link() {
  shut_down();
}

expected<uint16_t> fleet_link::listen(const link_endpoint& where,
                                      const tls_material& tls,
                                      const coordinator_actor& coordinator) {
  return impl_->listen(where, tls, coordinator);
}

connector_actor fleet_link::connector(const link_endpoint& where,
                                      const tls_material& tls) {
  return impl_->connector(where, tls);
}

peer_check fleet_link::check_peer() const {
  return impl_->check_peer();
}

std::string fleet_link::identity_behind(const node_actor& handle) const {
  return impl_->identity_behind(handle);
}

subject_lookup fleet_link::subjects() const {
  return impl_->subjects();
}

void fleet_link::deny(std::vector<std::string> entries) {
  impl_->deny(std::move(entries));
}

link_counters fleet_link::counters() const {
  return impl_->counters();
}

void fleet_link::shut_down() {
  impl_->shut_down();
}

} // namespace forkfleet
