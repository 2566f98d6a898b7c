// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/machine.hpp"

#include <string_view>

#include <fmt/format.h>

#include "actors/schema/json_text.hpp"
#include "node/network/address_plan.hpp"
#include "node/qemu/option_text.hpp"

namespace forkfleet::qemu {

namespace {

// QEMU has a resolver of its own in its user network.
constexpr const char* user_resolver = "169.254.77.3";

bool is_microvm(std::string_view type) {
  return type == "microvm";
}

std::string kernel_arguments(const config::sandbox_section& spec,
                             std::string_view accelerator, uint64_t tsc_khz) {
  // How the kernel resets the machine when it restarts or panics. A microvm
  // has no keyboard controller: the kernel would go on in its firmware, in the
  // same VM. A triple fault resets every machine.
  auto text = fmt::format("console=ttyS0 reboot={} panic=1 quiet",
                          is_microvm(spec.machine) ? "t" : "k");
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
  auto type = option_text{x.type};
  type.set("accel", x.accelerator);
  if (is_microvm(x.type))
    type.set("rtc", "on");
  out.add("-M", type.set("memory-backend", x.memory_block).take());
  // The only option whose properties come in one text; see from_contract.
  out.add("-cpu", x.cpu);
  out.add("-smp", fmt::format("{}", x.vcpus));
  out.add("-m", fmt::format("size={}B", x.memory_bytes));
  auto memory = option_text{where.memory_path.empty() ? "memory-backend-ram"
                                                      : "memory-backend-file"};
  memory.set("id", x.memory_block)
    .set("size", fmt::format("{}B", x.memory_bytes));
  if (!where.memory_path.empty())
    memory.set("mem-path", where.memory_path).set("share", "off");
  out.add("-object", memory.take());
  out.add("-kernel", x.kernel);
  if (!x.initrd.empty())
    out.add("-initrd", x.initrd);
  out.add("-append", x.append);
}

void add_socket(argument_list& out, std::string_view id, const char* path) {
  out.add("-chardev", option_text{"socket"}
                        .set("id", id)
                        .set("path", path)
                        .set("server", "on")
                        .set("wait", "off")
                        .take());
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

json file_node(const std::string& name, const std::string& path,
               bool is_read_only) {
  return {{"driver", "file"},
          {"node-name", name},
          {"filename", path},
          {"read-only", is_read_only}};
}

// An image of a disk as nodes, from the lowest up; the uppermost is `top`. All
// that it lies over is read only, and QEMU opens what we name and no other.
void add_image(argument_list& out, const std::vector<image_file>& chain,
               std::size_t disk, const std::string& top, bool is_read_only) {
  auto under = std::string{};
  for (auto i = chain.size(); i-- > 0;) {
    const auto& image = chain[i];
    const bool is_fixed = is_read_only || i > 0;
    const auto name = i == 0 ? top : fmt::format("image{}-{}", disk, i);
    const auto file =
      i == 0 ? fmt::format("file{}", disk) : fmt::format("file{}-{}", disk, i);
    out.add("-blockdev", file_node(file, image.path, is_fixed).dump());
    auto node = json{{"driver", image.format},
                     {"node-name", name},
                     {"file", file},
                     {"read-only", is_fixed}};
    if (!image.data.empty()) {
      out.add("-blockdev",
              file_node(file + "-data", image.data, is_fixed).dump());
      node["data-file"] = file + "-data";
    }
    if (image.format == "qcow2")
      node["backing"] = under.empty() ? json(nullptr) : json(under);
    out.add("-blockdev", node.dump());
    under = name;
  }
}

void add_disks(argument_list& out, const machine& x, const launch& where) {
  const auto device =
    is_microvm(x.type) ? "virtio-blk-device" : "virtio-blk-pci";
  for (std::size_t i = 0; i < x.disks.size(); ++i) {
    const auto& disk = x.disks[i];
    auto top = fmt::format("disk{}", i);
    const bool has_layers = i < where.layers.size() && !where.layers[i].empty();
    const auto& chain = i < where.images.size() && !where.images[i].empty()
                          ? where.images[i]
                          : std::vector{image_file{disk.path, disk.format, {}}};
    add_image(out, chain, i, has_layers ? top + "-base" : top,
              disk.readonly || has_layers);
    if (has_layers)
      for (const auto& layer : where.layers[i]) {
        out.add("-blockdev", layer.dump());
        top = layer.at("node-name");
      }
    out.add("-device", fmt::format("{},drive={}", device, top));
  }
}

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
