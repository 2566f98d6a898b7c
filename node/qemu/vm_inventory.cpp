// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/vm_inventory.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "actors/bounded_text.hpp"
#include "actors/schema/json_text.hpp"

namespace forkfleet::qemu {

namespace {

namespace rows {

using enum method_kind;
using enum vm_part;

constexpr auto all =
  methods(tracked, page_map, background, stopped_copy, stopped_send);
// QEMU's own stream has all memory and all devices.
constexpr auto own_stream = methods(background, stopped_send);
// The guest stands, and with it all requests have ended.
constexpr auto standing = methods(page_map, stopped_copy, stopped_send);
// Memory is not read beside QEMU, or what is written meanwhile is noticed.
constexpr auto ordered = methods(tracked, background, stopped_send);
constexpr auto direct_io =
  methods(page_map, background, stopped_copy, stopped_send);

// All of memory is read, whoever wrote it.
constexpr auto whole_copy = methods(background, stopped_copy, stopped_send);

constexpr std::string_view leave_out =
  "leave it out of the VM, or have it without snapshots";

constexpr auto table = std::to_array<inventory_entry>({
  // Memory is given back or comes while the VM runs.
  {device, "*balloon*", 0,
   "gives memory back to the host, and in a child cuts it out of the "
   "snapshot's file",
   leave_out},
  {device, "virtio-mem*", 0, "plugs and unplugs memory while the guest runs",
   leave_out},
  {device, "nvdimm*", 0, "is a file that a child would write, too", leave_out},
  {device, "virtio-pmem*", 0, "is a file that a child would write, too",
   leave_out},
  {device, "sgx-epc*", 0, "is memory that nobody can read", leave_out},
  // Others than QEMU's own process write memory.
  {device, "vfio*", 0, "is hardware that writes memory by itself", leave_out},
  {device, "vhost-vdpa*", 0, "is hardware that writes memory by itself",
   leave_out},
  {device, "pvrdma*", 0, "is hardware that writes memory by itself", leave_out},
  {device, "vhost-user*", 0, "shares memory with another process", leave_out},
  {device, "ivshmem*", 0, "shares memory with another process", leave_out},
  {device, "vhost-*", standing, "writes memory out of the host's kernel", {}},
  // They take what the host sends also while the guest stands.
  {device,
   "virtserialport",
   ordered,
   "may take data from the host while the guest stands",
   {}},
  {device,
   "virtconsole",
   ordered,
   "may take data from the host while the guest stands",
   {}},
  // They write memory in QEMU's own process, while the guest runs.
  {device, "isa-debugcon", all, {}, {}},
  {device, "isa-serial", all, {}, {}},
  {device, "pvpanic", all, {}, {}},
  {device, "virtio-blk-*", all, {}, {}},
  {device, "virtio-net-*", all, {}, {}},
  {device, "virtio-rng-*", all, {}, {}},
  {device, "virtio-scsi-*", all, {}, {}},
  {device, "virtio-serial-*", all, {}, {}},
  {device, "scsi-hd", all, {}, {}},
  {device, "scsi-cd", all, {}, {}},
  {device, "pcie-root-port", all, {}, {}},
  {device, "e1000", all, {}, {}},
  {device, "ahci", all, {}, {}},
  {device, "ich9-ahci", all, {}, {}},
  {device, "ide-hd", all, {}, {}},
  {device, "ide-cd", all, {}, {}},
  {device, "qemu-xhci", all, {}, {}},
  {device, "usb-tablet", all, {}, {}},
  {device, "usb-kbd", all, {}, {}},
  // Their memory is a block of its own.
  {device, "VGA", all, {}, {}},
  {device,
   "pc-dimm",
   own_stream,
   "has memory beside the guest's main memory",
   {}},
  {device,
   "*",
   methods(stopped_send),
   "is not known to forkfleet, nor how it writes memory",
   {}},
  // A child makes them again from the same files and arguments, and a guest
  // cannot write them.
  {ram_block, "pc.bios", all, {}, {}},
  {ram_block, "pc.rom", all, {}, {}},
  {ram_block, "/rom@etc/acpi/tables", all, {}, {}},
  {ram_block, "/rom@etc/acpi/rsdp", all, {}, {}},
  {ram_block, "/rom@etc/table-loader", all, {}, {}},
  {ram_block, "*", own_stream, "is memory beside the guest's main memory", {}},
  // Computed or copied by QEMU into the guest's memory.
  {block_driver, "file", all, {}, {}},
  {block_driver, "host_device", all, {}, {}},
  {block_driver, "raw", all, {}, {}},
  {block_driver, "qcow2", all, {}, {}},
  {block_driver, "null-co", all, {}, {}},
  {block_driver, "null-aio", all, {}, {}},
  {block_driver, "throttle", all, {}, {}},
  {block_driver, "copy-on-read", all, {}, {}},
  {block_driver,
   "*",
   standing,
   "is not known to write memory through the page tables only",
   {}},
  {host_device, "/dev/vfio*", 0, "lets hardware write memory by itself",
   leave_out},
  {host_device, "/dev/vhost-vdpa*", 0, "lets hardware write memory by itself",
   leave_out},
  {host_device,
   "/dev/vhost-*",
   standing,
   "has the host's kernel write memory by itself",
   {}},
  {host_device, "*", all, {}, {}},
  {netdev, "vhost-user*", 0, "shares memory with another process", leave_out},
  {netdev, "vhost-vdpa*", 0, "is hardware that writes memory by itself",
   leave_out},
  {netdev, "*", all, {}, {}},
});

} // namespace rows

bool fits_pattern(std::string_view pattern, std::string_view name) {
  const bool any_end = pattern.ends_with('*');
  if (any_end)
    pattern.remove_suffix(1);
  if (!pattern.starts_with('*'))
    return any_end ? name.starts_with(pattern) : name == pattern;
  pattern.remove_prefix(1);
  return any_end ? name.find(pattern) != std::string_view::npos
                 : name.ends_with(pattern);
}

std::string_view called(vm_part part) {
  switch (part) {
    case vm_part::device:
      return "its device";
    case vm_part::ram_block:
      return "its memory block";
    case vm_part::block_driver:
      return "its block node";
    case vm_part::host_device:
      return "its open file";
    case vm_part::netdev:
      return "its network backend";
  }
  return "its";
}

// A device's option ROM, such as 0000:00:02.0/vga.rom: the guest cannot write
// it, and a child loads it again.
bool is_option_rom(std::string_view block) {
  const auto slash = block.rfind('/');
  return slash != std::string_view::npos && slash > 0 && block.ends_with(".rom")
         && block.substr(0, slash).find_first_not_of("0123456789abcdef:.")
              == std::string_view::npos;
}

class judging {
public:
  explicit judging(const vm_facts& facts) : facts_{facts} {}

  inventory_verdict run() {
    main_memory();
    blocks();
    devices();
    nodes();
    for (const auto& path : facts_.host_devices)
      take(vm_part::host_device, path, path);
    for (const auto& type : facts_.netdevs)
      take(vm_part::netdev, type, type);
    return std::move(result_);
  }

private:
  void refuse(const std::string& why, std::string_view remedy) {
    if (result_.refusal.empty())
      result_.refusal = fmt::format("{}; {}", bounded_text(why), remedy);
  }

  // The first reason of each method is told.
  void miss(method_set by, const std::string& why) {
    for (std::size_t i = 0; i < method_kinds; ++i)
      if ((by >> i & 1) == 0 && result_.missed[i].empty())
        result_.missed[i] = bounded_text(why);
  }

  void take(vm_part part, const std::string& kind, const std::string& name) {
    const auto& entry = entry_of(part, kind);
    const auto why = fmt::format("{} {} {}", called(part), name, entry.why);
    if (entry.by == 0)
      refuse(why, entry.remedy);
    miss(entry.by, why);
  }

  void main_memory() {
    if (facts_.memory_block.empty())
      refuse("its main memory is not one backend, such as that of several NUMA "
             "nodes",
             "give the machine one memory-backend");
    if (facts_.memory_block != facts_.memory_block_wanted)
      refuse(fmt::format("its main memory is the backend {}, a child's is {} "
                         "and would not show the snapshot",
                         facts_.memory_block, facts_.memory_block_wanted),
             "leave the choice of a memory backend out of qemu_arguments");
    if (facts_.memory == memory_kind::shared)
      miss(rows::whole_copy,
           "its memory is shared, and changes by others are not seen");
    else if (facts_.memory == memory_kind::private_file && !facts_.is_child)
      miss(rows::whole_copy,
           "its memory shows a file, whose changes are not seen");
    if (!facts_.undescribed.empty())
      refuse(fmt::format("it was started with {}, and a child would not have "
                         "these devices",
                         facts_.undescribed),
             "start it with -nodefaults, and name what it has in the sandbox' "
             "qemu_arguments");
    for (const auto& why : facts_.blockers)
      refuse("QEMU cannot save it: " + why, rows::leave_out);
  }

  void blocks() {
    for (const auto& name : facts_.ram_blocks)
      if (name != facts_.memory_block && !is_option_rom(name))
        take(vm_part::ram_block, name, name);
    for (const auto& backend : facts_.backends)
      if (backend.is_shared && backend.type == "memory-backend-file")
        refuse(fmt::format("its memory backend {} is a shared file, which a "
                           "child would write, too",
                           backend.id),
               "give it share=off");
  }

  void devices() {
    for (const auto& found : facts_.devices) {
      take(vm_part::device, found.type, found.type);
      if (found.is_hotplugged)
        refuse(fmt::format("its device {} was plugged in after the start, and "
                           "a child would not have it",
                           found.type),
               "unplug it");
      if (!found.is_in_contract)
        refuse(fmt::format("its device {} would not be in a child", found.type),
               "name it in the sandbox' qemu_arguments");
      if (found.type == "virtserialport" || found.type == "virtconsole")
        result_.takes_input = true;
    }
  }

  void nodes() {
    for (const auto& node : facts_.nodes) {
      take(vm_part::block_driver, node.driver,
           fmt::format("{} ({})", node.name, node.driver));
      if (node.is_direct && !node.driver.starts_with("null-"))
        miss(rows::direct_io,
             fmt::format("its block node {} ({}) has cache.direct: disks write "
                         "memory past the page tables",
                         node.name, node.file));
    }
  }

  const vm_facts& facts_;
  inventory_verdict result_ = {};
};

// As QEMU's own table of names has it.
std::string canonical(std::string type) {
  for (const auto* name : {"virtio-blk", "virtio-net", "virtio-rng",
                           "virtio-scsi", "virtio-serial", "virtio-balloon"})
    if (type == name)
      return type + "-pci";
  return type;
}

} // namespace

std::span<const inventory_entry> inventory() {
  return rows::table;
}

const inventory_entry& entry_of(vm_part part, std::string_view name) {
  return *std::ranges::find_if(rows::table, [&](const inventory_entry& x) {
    return x.part == part && fits_pattern(x.pattern, name);
  });
}

inventory_verdict judge(const vm_facts& facts) {
  return judging{facts}.run();
}

std::vector<std::string>
devices_of_arguments(std::span<const std::string> arguments) {
  auto result = std::vector<std::string>{};
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    if (arguments[i - 1] != "-device" && arguments[i - 1] != "--device")
      continue;
    const auto& text = arguments[i];
    auto type = text.substr(0, text.find(','));
    if (text.starts_with('{')) {
      const auto parsed = schema::parse_json(text);
      type = parsed ? parsed->value("driver", "") : "";
    } else if (type.starts_with("driver=")) {
      type.erase(0, type.find('=') + 1);
    }
    result.push_back(canonical(type));
  }
  return result;
}

std::string undescribed_option(std::span<const std::string> arguments,
                               std::span<const std::string> told) {
  constexpr std::string_view makers[] = {
    "vga",     "net",   "nic",    "hda",      "hdb",      "hdc",  "hdd",
    "cdrom",   "fda",   "fdb",    "pflash",   "sd",       "usb",  "usbdevice",
    "soundhw", "audio", "virtfs", "parallel", "watchdog", "drive"};
  const auto option_of = [](std::string_view word) {
    const auto dashes = word.starts_with("--") ? 2u : 1u;
    return word.starts_with('-') ? word.substr(dashes) : std::string_view{};
  };
  bool has_defaults = true;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto option = option_of(arguments[i]);
    const std::string value =
      i + 1 < arguments.size() ? arguments[i + 1] : std::string{};
    if (option == "nodefaults")
      has_defaults = false;
    const bool makes = std::ranges::find(makers, option) != std::end(makers)
                       && value != "none"
                       && value.find("if=none") == std::string::npos;
    if (makes && std::ranges::find(told, arguments[i]) == told.end())
      return arguments[i];
  }
  return has_defaults ? "QEMU's default devices" : "";
}

std::string argument_obstacle(std::span<const std::string> arguments) {
  const auto obstacle = [](vm_part part, const std::string& type) {
    const auto& entry = entry_of(part, type);
    return entry.by != 0 ? std::string{}
                         : fmt::format("{} {} {}; {}", called(part), type,
                                       entry.why, entry.remedy);
  };
  for (const auto& type : devices_of_arguments(arguments))
    if (auto why = obstacle(vm_part::device, type); !why.empty())
      return why;
  for (std::size_t i = 1; i < arguments.size(); ++i)
    if (arguments[i - 1] == "-netdev" || arguments[i - 1] == "--netdev") {
      const auto type = arguments[i].substr(0, arguments[i].find(','));
      if (auto why = obstacle(vm_part::netdev, type); !why.empty())
        return why;
    }
  return {};
}

} // namespace forkfleet::qemu
