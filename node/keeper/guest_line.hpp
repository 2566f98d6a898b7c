// SPDX-License-Identifier: Apache-2.0
// The keeper's own way to its VM, in the VMM's language: is the guest
// standing, and let it run.
#pragma once

#include <memory>
#include <string>

#include "node/vmm.hpp"

namespace forkfleet::keeper {

/// What a guest is found doing.
struct guest_stand {
  std::string name = {}; // in the VMM's own words
  bool is_resumable = false;
};

/// One line to one VM. Errors: vmm_unreachable, vmm_gone, vmm_refused,
/// deadline_exceeded, unsupported.
class guest_line {
public:
  virtual ~guest_line() = default;
  virtual expected<guest_stand> look(deadline_point until) = 0;
  virtual status resume(deadline_point until) = 0;

  /// Connects, so that it is heard what the VMM tells by itself. False for a
  /// VMM that tells nothing: to be called no more.
  virtual bool listen(deadline_point) { return false; }

  /// Readable when the VMM told something; -1: nothing is heard.
  virtual int socket() const { return -1; }

  /// Reads what it told. The VMM's word for why it ends, once it has said
  /// so; empty before.
  virtual std::string told_end() { return {}; }
};

/// What a socket's name begins with when Firecracker's API listens on it; all
/// others speak QMP.
inline constexpr const char* api_socket_prefix = "firecracker:";

/// A line over the socket of that name; empty: one that only says that there
/// is none. Connects when it is used.
std::unique_ptr<guest_line> make_line(const std::string& socket);

} // namespace forkfleet::keeper
