// SPDX-License-Identifier: Apache-2.0
// Replaces the function by which CAF 0.17 makes a program's node identity.
// Its own is a hash of the machine and the process id, so that two programs in
// containers, or on cloned machines, get the same one and receive each
// other's messages. Linked as an object into each program: from a static
// library the dynamic linker would not take it.

#include <cstdint>
#include <cstdlib>
#include <sys/random.h>

#include <caf/node_id.hpp>

namespace caf {

__attribute__((visibility("default"))) node_id
node_id::default_data::local(const actor_system_config&) {
  auto host = host_id_type{};
  auto number = uint32_t{0};
  const auto fill = [](void* where, std::size_t bytes) {
    if (getrandom(where, bytes, 0) != static_cast<ssize_t>(bytes))
      std::abort();
  };
  fill(host.data(), host.size());
  fill(&number, sizeof number);
  // No process has an id with this bit, so ours is told from CAF's own.
  return make_node_id(number | 0x80000000U, host);
}

} // namespace caf
