// SPDX-License-Identifier: Apache-2.0
// Who may have how many connections and open requests: by identity, so that
// one certificate or one user cannot take what is meant for all, and with
// places that only nodes can take. Pure; used on the guard's thread alone.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "actors/error.hpp"
#include "actors/link/content_check.hpp"
#include "actors/link/limits.hpp"

namespace forkfleet {

/// What all connections of one identity have open together.
struct identity_quota {
  std::size_t connections = 0;
  std::size_t questions = 0;
  std::size_t waits = 0;
  std::size_t questions_max = 0;
  std::size_t waits_max = 0;
};

class places;

/// The place of one connection; given back at the end. Must not outlive its
/// `places`.
class place {
public:
  enum class kind : uint8_t { none, tool, node, unproven };

  place() = default;
  place(places& of, kind what, std::shared_ptr<identity_quota> quota);
  ~place();
  place(place&& other) noexcept;
  place& operator=(place&& other) noexcept;

  kind what() const { return what_; }
  const std::shared_ptr<identity_quota>& quota() const { return quota_; }
  /// It has said hello: it takes a node's place from now on.
  void prove_node();

private:
  places* of_ = nullptr;
  kind what_ = kind::none;
  std::shared_ptr<identity_quota> quota_;
};

class places {
public:
  explicit places(const link_limits& limits) : limits_(limits) {}

  /// A place for one more connection. A program of this machine may be a node
  /// or a tool: when there is no place for tools it is let in as `unproven`,
  /// and has to say hello before all else. node_busy tells which limit.
  expected<place> enter(peer_role role, const std::string& identity);

  std::size_t tools() const { return tools_; }
  std::size_t nodes() const { return nodes_; }

private:
  friend class place;

  std::shared_ptr<identity_quota> quota_of(peer_role role,
                                           const std::string& identity);
  std::size_t& count_of(place::kind what);

  const link_limits& limits_;
  std::size_t tools_ = 0;
  std::size_t nodes_ = 0;
  std::size_t unproven_ = 0;
  std::size_t uncounted_ = 0;
  std::map<std::string, std::weak_ptr<identity_quota>> quotas_;
};

} // namespace forkfleet
