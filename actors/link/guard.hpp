// SPDX-License-Identifier: Apache-2.0
// Stands between the network and CAF: owns every port and every connection,
// and lets through what is sound. One thread. Knows no CAF.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actors/access.hpp"
#include "actors/error.hpp"
#include "actors/link/endpoint.hpp"
#include "actors/link/limits.hpp"
#include "actors/link/owned_fd.hpp"

namespace forkfleet {

/// All functions may be called from any thread but the guard's own; the
/// callbacks come on the guard's thread and must be quick. A dial that comes
/// after the end is refused at once, on the caller's thread.
class guard {
public:
  /// A peer may talk to us; this is CAF's end of its connection.
  using accepted = std::function<void(owned_fd)>;

  struct dial_events {
    /// Once: CAF's end of the connection, or why there is none. Failures
    /// are those of `dialer`, and shutting_down.
    std::function<void(expected<owned_fd>)> dialled;
    /// Once, after a dial that succeeded: why the connection ended.
    std::function<void(const failure&)> closed;
  };

  /// `own_node` is this program's node identity as it stands in frames.
  guard(const link_limits& limits, std::string own_node);
  /// Calls `shut_down`.
  ~guard();
  guard(const guard&) = delete;
  guard& operator=(const guard&) = delete;

  /// Listens at `where` until the end; port 0 picks a free one. Returns the
  /// port. Certificates that are renewed in place are taken for the
  /// connections that follow.
  expected<uint16_t> listen(const link_endpoint& where, const tls_material& tls,
                            accepted then);

  /// Dials within `limit` and the guard's own limits. Returns the dial's
  /// number.
  uint64_t dial(const link_endpoint& where, const tls_material& tls,
                std::chrono::milliseconds limit, dial_events then);

  /// Ends a dial or its connection. No effect on one that has ended.
  void drop(uint64_t dial);

  /// Who is connected as the program `node`; empty for nobody.
  std::string identity_of(std::string_view node) const;

  /// The same, with what he may ask; nobody, for nobody.
  access_subject subject_of(std::string_view node) const;

  /// Turns these away from now on, and no others (see access_list); ends
  /// their connections.
  void deny(std::vector<std::string> entries);

  link_counters counters() const;

  /// Closes everything and waits for the thread's end. Idempotent.
  void shut_down();

private:
  class impl;
  std::shared_ptr<impl> impl_;
};

} // namespace forkfleet
