// SPDX-License-Identifier: Apache-2.0
// A peer that means harm: sends what no sound program sends, and looks at how
// the port takes it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "actors/link/owned_fd.hpp"

namespace forkfleet::test {

/// A plain connection to a port or a socket of this machine, used by hand. Its
/// waits end by themselves.
class raw_peer {
public:
  /// `address` is a loopback address, or a Unix socket's absolute path;
  /// anything else is not connected to.
  raw_peer(const std::string& address, uint16_t port);

  bool is_connected() const { return static_cast<bool>(socket_); }
  /// False when the other side has closed.
  bool send(std::string_view bytes);
  /// Introduces itself as the program `node`; true when the other side
  /// introduced itself too.
  bool greet(const std::string& node);
  /// Whether the other side closes within `limit`.
  bool is_closed_within(std::chrono::milliseconds limit);
  /// The other side's node identity, after a greeting.
  const std::string& server_node() const { return server_node_; }
  /// The actor that the other side offers, after a greeting.
  uint64_t served_actor() const { return served_actor_; }
  /// Reads away what the other side has sent, without waiting; how much.
  std::size_t drain();

private:
  void connect_locally(const std::string& path);
  std::string receive(std::size_t bytes);

  owned_fd socket_;
  std::string server_node_;
  uint64_t served_actor_ = 0;
};

/// Something that must get the connection closed.
struct attack {
  std::string name;
  /// Whether it comes after a proper introduction.
  bool is_greeted = false;
  std::string bytes;
};

/// What is known to crash, kill or flood a bare CAF port, and more.
/// `server_node` and `actor` are those that the port offers.
std::vector<attack> attacks(const std::string& server_node, uint64_t actor);

struct abuse_plan {
  std::string address = "127.0.0.1";
  uint16_t port = 0;
  uint64_t seed = 1;
  /// Connections of random bytes and of damaged frames.
  unsigned fuzz_connections = 500;
  /// Connections that come and go at once.
  unsigned empty_connections = 200;
  /// How long a connection may take to be closed.
  std::chrono::milliseconds patience{8000};
};

struct abuse_report {
  /// Attacks after which the connection stayed open.
  std::vector<std::string> survived;
  unsigned attacks = 0;
  unsigned fuzz_frames = 0;
  /// Whether the port answers an introduction after it all.
  bool still_answers = false;
};

/// Runs all of it, one connection at a time.
abuse_report abuse(const abuse_plan& plan);

} // namespace forkfleet::test
