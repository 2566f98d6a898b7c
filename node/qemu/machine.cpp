// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/machine.hpp"

#include <string_view>

#include <fmt/format.h>

#include "actors/schema/json_text.hpp"
#include "node/network/address_plan.hpp"

namespace forkfleet::qemu {

namespace {

constexpr std::string_view driver_name = "qemu";

// QEMU has a resolver of its own in its user network.
constexpr const char* user_resolver = "169.254.77.3";

// A comma ends an option's value unless it is doubled.
std::string escape(std::string_view text) {
  auto result = std::string{};
  for (const char c : text) {
    result += c;
    if (c == ',')
      result += c;
  }
  return result;
}

bool is_microvm(std::string_view type) {
  return type == "microvm";
}

std::string kernel_arguments(const config::sandbox_section& spec,
                             std::string_view accelerator, uint64_t tsc_khz) {
  auto text = std::string{"console=ttyS0 reboot=k panic=1 quiet"};
  if (accelerator == "tcg" && tsc_khz > 0)
    text += fmt::format(" tsc_early_khz={} tsc=nowatchdog", tsc_khz);
  // The device of a guest that does not set itself up; read by the kernel or
  // by an initial RAM disk, where they know it.
  if (spec.network.mode != network_mode::none)
    text += fmt::format(" ip={}::{}:255.255.255.248::eth0:off", guest_address,
                        guest_gateway);
  if (!spec.append.empty())
    text += " " + spec.append;
  return text;
}

class argument_list {
public:
  explicit argument_list(const std::string& program) { list_ = {program}; }

  void add(std::string name) { list_.push_back(std::move(name)); }
  void add(std::string name, std::string value) {
    list_.push_back(std::move(name));
    list_.push_back(std::move(value));
  }
  void add_all(const std::vector<std::string>& more) {
    list_.insert(list_.end(), more.begin(), more.end());
  }
  std::vector<std::string> take() { return std::move(list_); }

private:
  std::vector<std::string> list_;
};

void add_machine(argument_list& out, const machine& x, const launch& where) {
  const auto options = is_microvm(x.type) ? ",rtc=on" : "";
  out.add("-M", fmt::format("{},accel={}{},memory-backend={}", x.type,
                            x.accelerator, options, x.memory_block));
  out.add("-cpu", x.cpu);
  out.add("-smp", fmt::format("{}", x.vcpus));
  out.add("-m", fmt::format("size={}B", x.memory_bytes));
  if (where.memory_path.empty())
    out.add("-object", fmt::format("memory-backend-ram,id={},size={}B",
                                   x.memory_block, x.memory_bytes));
  else
    out.add("-object",
            fmt::format("memory-backend-file,id={},size={}B,mem-path={},"
                        "share=off",
                        x.memory_block, x.memory_bytes,
                        escape(where.memory_path)));
  out.add("-kernel", x.kernel);
  if (!x.initrd.empty())
    out.add("-initrd", x.initrd);
  out.add("-append", x.append);
}

void add_socket(argument_list& out, std::string_view id, const char* path) {
  out.add("-chardev",
          fmt::format("socket,id={},path={},server=on,wait=off", id, path));
}

void add_consoles(argument_list& out, const machine& x) {
  out.add("-nodefaults");
  out.add("-no-user-config");
  // A guest that restarts has lost what it was branched for: its VM ends.
  out.add("-no-reboot");
  out.add("-display", "none");
  out.add("-chardev",
          fmt::format("file,id=console,path={},append=on", console_file));
  out.add("-serial", "chardev:console");
  add_socket(out, "qmp", qmp_socket);
  out.add("-mon", "chardev=qmp,mode=control");
  add_socket(out, "watchdog", watchdog_socket);
  out.add("-mon", "chardev=watchdog,mode=control");
  if (!x.debug_console)
    return;
  add_socket(out, "debug", debug_socket);
  out.add("-device", "isa-debugcon,iobase=0xe9,chardev=debug");
}

void add_agent(argument_list& out, const machine& x) {
  if (!x.agent)
    return;
  add_socket(out, "agent", agent_socket);
  out.add("-device",
          is_microvm(x.type) ? "virtio-serial-device" : "virtio-serial-pci");
  out.add("-device",
          "virtserialport,chardev=agent,name=org.qemu.guest_agent.0");
}

// The device is the same in every VM of a lineage; what is behind it is not.
void add_network(argument_list& out, const machine& x) {
  if (x.network == network_mode::none)
    return;
  if (x.network == network_mode::user)
    out.add("-netdev",
            fmt::format("user,id=net0,ipv6=off,net={0}/{1},host={0},dns={2},"
                        "dhcpstart={3},restrict={4}",
                        guest_gateway, guest_prefix, user_resolver,
                        guest_address, reaches_all(x.egress) ? "off" : "on"));
  else
    out.add("-netdev", fmt::format("tap,id=net0,ifname={},script=no,"
                                   "downscript=no,vhost=off",
                                   tap_name));
  out.add("-device", fmt::format("{},netdev=net0,mac={}",
                                 is_microvm(x.type) ? "virtio-net-device"
                                                    : "virtio-net-pci,romfile=",
                                 guest_mac));
}

// The file itself, as a node of this name.
void add_image(argument_list& out, const config::disk_section& disk,
               std::size_t i, const std::string& node, bool is_read_only) {
  const auto read_only = is_read_only ? "on" : "off";
  out.add("-blockdev", fmt::format("driver=file,node-name=file{},filename={},"
                                   "read-only={}",
                                   i, escape(disk.path), read_only));
  out.add("-blockdev", fmt::format("driver={},node-name={},file=file{},"
                                   "read-only={}",
                                   disk.format, node, i, read_only));
}

void add_disks(argument_list& out, const machine& x, const launch& where) {
  const auto device =
    is_microvm(x.type) ? "virtio-blk-device" : "virtio-blk-pci";
  for (std::size_t i = 0; i < x.disks.size(); ++i) {
    const auto& disk = x.disks[i];
    auto top = fmt::format("disk{}", i);
    const bool has_layers = i < where.layers.size() && !where.layers[i].empty();
    add_image(out, disk, i, has_layers ? top + "-base" : top,
              disk.readonly || has_layers);
    if (has_layers)
      for (const auto& layer : where.layers[i]) {
        out.add("-blockdev", layer.dump());
        top = layer.at("node-name");
      }
    out.add("-device", fmt::format("{},drive={}", device, top));
  }
}

// The parts of a contract that have no field of their own: "key=value".
struct argument_reader {
  machine& x;

  bool take(std::string_view key, const std::string& value) {
    if (key == "kernel")
      x.kernel = value;
    else if (key == "kernel_sha256")
      x.kernel_hash = value;
    else if (key == "initrd")
      x.initrd = value;
    else if (key == "initrd_sha256")
      x.initrd_hash = value;
    else if (key == "append")
      x.append = value;
    else if (key == "memory_block")
      x.memory_block = value;
    else if (key == "debug_console")
      x.debug_console = value == "on";
    else if (key == "disk_stamp")
      x.disk_stamps.push_back(value);
    else if (key == "guest_agent")
      x.agent = value == "on";
    else if (key == "egress")
      x.egress.push_back(value);
    else if (key == "argument")
      x.more.push_back(value);
    else
      return (key == "disk" && take_disk(value))
             || (key == "network" && take_network(value));
    return true;
  }

  bool take_network(const std::string& value) {
    for (const auto mode : {network_mode::isolated, network_mode::user})
      if (value == schema::name_of(mode)) {
        x.network = mode;
        return true;
      }
    return false;
  }

  // format:mode:path
  bool take_disk(const std::string& value) {
    const auto first = value.find(':');
    const auto second =
      first == std::string::npos ? first : value.find(':', first + 1);
    if (second == std::string::npos)
      return false;
    x.disks.push_back(
      {.path = value.substr(second + 1),
       .format = value.substr(0, first),
       .readonly = value.substr(first + 1, second - first - 1) == "ro"});
    return true;
  }
};

} // namespace

machine machine_of(const config::sandbox_section& spec,
                   const std::string& accelerator, uint64_t tsc_khz) {
  auto x = machine{};
  x.type = spec.machine;
  x.accelerator = accelerator;
  x.cpu = accelerator == "kvm" ? "host" : "qemu64";
  x.memory_bytes = spec.memory.value;
  x.vcpus = spec.vcpus;
  x.kernel = spec.kernel;
  x.initrd = spec.initrd;
  x.append = kernel_arguments(spec, accelerator, tsc_khz);
  x.debug_console = spec.debug_console;
  x.agent = spec.guest_agent;
  x.disks = spec.disks;
  x.more = spec.qemu_arguments;
  return x;
}

std::vector<std::string> command_line(const machine& x, const launch& where) {
  auto out = argument_list{where.qemu};
  add_machine(out, x, where);
  out.add_all(where.confinement);
  add_consoles(out, x);
  add_agent(out, x);
  add_network(out, x);
  add_disks(out, x, where);
  out.add_all(x.more);
  if (!where.memory_path.empty())
    out.add("-incoming", "defer");
  return out.take();
}

run_contract to_contract(const machine& x, const std::string& vmm_version) {
  auto result = run_contract{.driver = std::string{driver_name},
                             .vmm_version = vmm_version,
                             .machine = x.type,
                             .accelerator = x.accelerator,
                             .cpu = x.cpu,
                             .memory_bytes = x.memory_bytes,
                             .vcpus = x.vcpus};
  auto add = [&result](std::string_view key, std::string_view value) {
    if (!value.empty())
      result.arguments.push_back(fmt::format("{}={}", key, value));
  };
  add("kernel", x.kernel);
  add("kernel_sha256", x.kernel_hash);
  add("initrd", x.initrd);
  add("initrd_sha256", x.initrd_hash);
  add("append", x.append);
  add("memory_block", x.memory_block);
  add("debug_console", x.debug_console ? "on" : "");
  add("guest_agent", x.agent ? "on" : "");
  if (x.network != network_mode::none)
    add("network", schema::name_of(x.network));
  for (const auto& rule : x.egress)
    add("egress", rule);
  for (const auto& disk : x.disks)
    add("disk", fmt::format("{}:{}:{}", disk.format,
                            disk.readonly ? "ro" : "rw", disk.path));
  for (const auto& stamp : x.disk_stamps)
    add("disk_stamp", stamp);
  for (const auto& argument : x.more)
    result.arguments.push_back("argument=" + argument);
  return result;
}

expected<machine> from_contract(const run_contract& contract) {
  if (contract.driver != driver_name)
    return fail(ec::unsupported,
                "snapshot of driver " + contract.driver + ", not of qemu");
  auto x = machine{};
  x.type = contract.machine;
  x.accelerator = contract.accelerator;
  x.cpu = contract.cpu;
  x.memory_bytes = contract.memory_bytes;
  x.vcpus = contract.vcpus;
  auto reader = argument_reader{x};
  for (const auto& argument : contract.arguments) {
    const auto sign = argument.find('=');
    if (sign == std::string::npos
        || !reader.take(std::string_view{argument}.substr(0, sign),
                        argument.substr(sign + 1)))
      return fail(ec::unsupported,
                  "unknown in the snapshot's contract: " + argument);
  }
  return x;
}

bool is_same_line(const std::string& version, const std::string& other) {
  auto line = [](const std::string& text) {
    const auto first = text.find('.');
    return first == std::string::npos
             ? text
             : text.substr(0, text.find('.', first + 1));
  };
  return line(version) == line(other);
}

} // namespace forkfleet::qemu
