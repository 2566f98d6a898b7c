// SPDX-License-Identifier: Apache-2.0
// Who serves the socket of a VM, so that what takes a VMM's place at its path
// is never taken for it: what was tracked of the one says nothing of the
// other.
#pragma once

#include <optional>
#include <string>

#include "node/qemu/process.hpp"
#include "node/storage/file_identity.hpp"

namespace forkfleet::qemu {

class socket_server {
public:
  /// `known` must serve it already the first time; none: whoever does.
  explicit socket_server(const process_id& known = {})
    : is_known_{known.pid > 0}, process_{known} {}

  /// Looks who serves `socket`, which was just connected to `path`. The first
  /// one is kept. Of another one later: vmm_gone where the first has ended,
  /// otherwise vmm_unreachable. A process in a foreign pid namespace is told
  /// by the socket's file.
  status check(int socket, const std::string& path);

  /// The process; none in a foreign pid namespace.
  const process_id& process() const { return process_; }

private:
  failure other(const std::string& path, const std::string& who) const;

  bool is_known_;
  process_id process_;
  std::optional<file_identity> file_ = {};
};

} // namespace forkfleet::qemu
