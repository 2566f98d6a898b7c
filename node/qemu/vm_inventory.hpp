// SPDX-License-Identifier: Apache-2.0
// All that is state of a QEMU VM or writes its memory, and by which methods it
// comes whole into a snapshot. What is not known to be captured is taken for
// what is not. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "node/qemu/memory_map.hpp"
#include "node/qemu/method_choice.hpp"

namespace forkfleet::qemu {

/// What an entry of the inventory is about.
enum class vm_part : uint8_t {
  device,       // by its QOM type
  ram_block,    // memory beside the guest's main memory, by its name
  block_driver, // a block node, by its driver
  host_device,  // what QEMU has open, by its path
  netdev,       // what a network device is connected by, by its type
};

/// Methods, one bit for each method_kind.
using method_set = uint8_t;

/// The set of these methods.
template <class... Kinds>
constexpr method_set methods(Kinds... kinds) {
  return static_cast<method_set>(
    ((1u << static_cast<unsigned>(kinds)) | ... | 0u));
}

/// How one part is captured.
struct inventory_entry {
  vm_part part = vm_part::device;
  std::string_view pattern = {}; // a `*` at its end, or at both, is any text
  method_set by = 0;             // the methods that capture it; 0: none does
  std::string_view why = {};     // it is not captured by the others
  std::string_view remedy = {};  // where none does
};

/// The table; the first entry that fits counts. docs/drivers.md explains it.
std::span<const inventory_entry> inventory();

/// The entry of a part; for what is in no other the one that says so.
const inventory_entry& entry_of(vm_part part, std::string_view name);

/// A device as it was found.
struct found_device {
  std::string type = {};      // QOM's, such as virtio-blk-device
  bool is_hotplugged = false; // it came after the start
  bool is_in_contract = true; // a child is started with it
};

/// A block node as it was found.
struct found_node {
  std::string name = {};
  std::string driver = {};
  std::string file = {};
  bool is_direct = false; // it passes the host's page cache by
};

/// A memory backend beside the main one.
struct found_backend {
  std::string id = {};
  std::string type = {};
  bool is_shared = false;
};

/// What was found in one VM.
struct vm_facts {
  memory_kind memory = memory_kind::shared; // of the main memory
  bool is_child = false;                    // it maps a snapshot, checked so
  std::string memory_block = {};            // which the machine uses
  std::string memory_block_wanted = {};     // which a child is given
  std::vector<std::string> ram_blocks = {}; // names, of all
  std::vector<found_device> devices = {};
  std::vector<found_node> nodes = {};
  std::vector<found_backend> backends = {};
  std::vector<std::string> host_devices = {};
  std::vector<std::string> netdevs = {};  // types, such as tap
  std::vector<std::string> blockers = {}; // why QEMU cannot migrate it
  std::string undescribed = {}; // what its command line has that no child has
};

/// What follows for a branch of that VM.
struct inventory_verdict {
  /// Why no snapshot of it can be restored, with the remedy; empty: one can.
  std::string refusal = {};
  /// By method_kind: what that method would miss; empty: nothing.
  std::array<std::string, method_kinds> missed = {};
  /// Whether a device may write memory while the guest stands.
  bool takes_input = false;

  const std::string& missed_by(method_kind x) const {
    return missed[static_cast<std::size_t>(x)];
  }
};

/// Judges what was found.
inventory_verdict judge(const vm_facts& facts);

/// What a VM with these arguments has that no snapshot captures, with the
/// remedy; empty: nothing that is known.
std::string argument_obstacle(std::span<const std::string> arguments);

/// The first option of a VM's command line that gives it devices of which
/// nobody told forkfleet; `told` are the arguments that a child is started
/// with. Empty: there is none.
std::string undescribed_option(std::span<const std::string> arguments,
                               std::span<const std::string> told);

/// The types that `-device` names in these arguments, as QOM has them.
std::vector<std::string>
devices_of_arguments(std::span<const std::string> arguments);

} // namespace forkfleet::qemu
