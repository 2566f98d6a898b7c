// SPDX-License-Identifier: Apache-2.0
// Network namespaces as the hosts of a fleet, joined by a bridge of their
// own: for what crosses a network. Nothing leaves the machine.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "actors/error.hpp"

namespace forkfleet::test {

/// Namespaces with one address each. They and their links go with the
/// object.
class netns_hosts {
public:
  /// not_permitted where this machine does not let us.
  static expected<std::unique_ptr<netns_hosts>> make(int count);
  ~netns_hosts();
  netns_hosts(const netns_hosts&) = delete;
  netns_hosts& operator=(const netns_hosts&) = delete;

  std::string address(int host) const;
  /// What a program's words begin with to run on that host.
  std::vector<std::string> on(int host) const;
  /// Cuts a host off, silently, or joins it again.
  void cut(int host);
  void heal(int host);

private:
  explicit netns_hosts(int count);
  status build();
  std::string name(int host) const;
  std::string link(int host) const;

  int count_;
  std::string prefix_;
};

} // namespace forkfleet::test
