// SPDX-License-Identifier: Apache-2.0
#include "actors/link/places.hpp"

#include <utility>

namespace forkfleet {

place::place(places& of, kind what, std::shared_ptr<identity_quota> quota)
  : of_(&of), what_(what), quota_(std::move(quota)) {
  ++of_->count_of(what_);
  ++quota_->connections;
}

place::~place() {
  if (of_ == nullptr)
    return;
  --of_->count_of(what_);
  --quota_->connections;
}

place::place(place&& other) noexcept
  : of_(std::exchange(other.of_, nullptr)), what_(other.what_),
    quota_(std::move(other.quota_)) {
  // nop
}

place& place::operator=(place&& other) noexcept {
  std::swap(of_, other.of_);
  std::swap(what_, other.what_);
  std::swap(quota_, other.quota_);
  return *this;
}

void place::prove_node() {
  if (of_ == nullptr || what_ == kind::node)
    return;
  --of_->count_of(what_);
  what_ = kind::node;
  ++of_->count_of(what_);
}

expected<place> places::enter(peer_role role, const std::string& identity) {
  auto quota = quota_of(role, identity);
  const auto have = quota->connections;
  auto what = role == peer_role::node ? place::kind::node : place::kind::tool;
  if (role == peer_role::coordinator)
    what = place::kind::none;
  const auto own_max = role == peer_role::node ? limits_.node_connections_max
                       : role == peer_role::local
                         ? limits_.local_connections_max
                         : limits_.tool_connections_max;
  const auto is_over_own = what != place::kind::none && have >= own_max;
  const auto is_full =
    (what == place::kind::tool && tools_ >= limits_.connections_max)
    || (what == place::kind::node && nodes_ >= limits_.nodes_max);
  if (role == peer_role::local && (is_over_own || is_full)
      && unproven_ < limits_.nodes_reserved)
    what = place::kind::unproven;
  else if (is_over_own)
    return fail(ec::node_busy, identity + " has " + std::to_string(have)
                                 + " connections, the most that one identity "
                                   "may have");
  else if (is_full)
    return fail(ec::node_busy, "all places for connections are taken");
  return place{*this, what, std::move(quota)};
}

std::shared_ptr<identity_quota> places::quota_of(peer_role role,
                                                 const std::string& identity) {
  std::erase_if(quotas_, [](const auto& x) { return x.second.expired(); });
  auto& known = quotas_[identity];
  if (auto quota = known.lock())
    return quota;
  const auto is_tool = role == peer_role::client;
  auto made = std::make_shared<identity_quota>();
  made->questions_max =
    is_tool ? limits_.tool_questions_max : limits_.node_questions_max;
  made->waits_max = is_tool ? limits_.tool_waits_max : limits_.local_waits_max;
  known = made;
  return made;
}

std::size_t& places::count_of(place::kind what) {
  switch (what) {
    case place::kind::tool:
      return tools_;
    case place::kind::node:
      return nodes_;
    case place::kind::unproven:
      return unproven_;
    case place::kind::none:
      break;
  }
  return uncounted_;
}

} // namespace forkfleet
