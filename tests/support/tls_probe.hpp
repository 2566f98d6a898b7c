// SPDX-License-Identifier: Apache-2.0
// A TLS client that has no certificate and believes everything.
#pragma once

#include <cstdint>

namespace forkfleet::test {

struct tls_probe_result {
  bool shook_hands = false;
  /// Whether the other side sent anything but its refusal.
  bool answered = false;
};

/// Connects to 127.0.0.1:`port` with at most `version`, introduces itself as
/// a CAF client, and waits for an answer or the end.
tls_probe_result probe_tls(uint16_t port, int version);

} // namespace forkfleet::test
