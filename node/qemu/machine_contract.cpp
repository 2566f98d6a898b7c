// SPDX-License-Identifier: Apache-2.0
// A machine as a contract, and back. The only place where a text of a manifest
// becomes something that QEMU is started with.
#include <algorithm>
#include <charconv>
#include <string_view>

#include <fmt/format.h>

#include "config/egress_rule.hpp"
#include "node/qemu/machine.hpp"
#include "node/storage/manifest_limits.hpp"

namespace forkfleet::qemu {

namespace {

constexpr std::string_view driver_name = "qemu";
constexpr std::size_t name_max = 63;
constexpr std::size_t append_max = 2047; // as much as the kernel reads
constexpr uint64_t contract_vcpus_max = 256;
constexpr std::size_t egress_rules_max = 64;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_one_of(char c, std::string_view more) {
  return is_letter(c) || (c >= '0' && c <= '9')
         || more.find(c) != std::string_view::npos;
}

// What QEMU calls a type, an object or a block of memory.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= name_max && is_one_of(text.front(), "")
         && std::ranges::all_of(text,
                                [](char c) { return is_one_of(c, "-_."); });
}

// A model and its features, such as qemu64,+ssse3,pmu=off.
bool is_cpu(std::string_view text) {
  const auto comma = text.find(',');
  return is_name(text.substr(0, comma))
         && std::ranges::all_of(text,
                                [](char c) { return is_one_of(c, "-_.,+=:"); });
}

bool is_path(std::string_view text) {
  return text.starts_with('/') && text.size() <= contract_text_max;
}

bool is_disk_format(std::string_view text) {
  return text == "raw" || text == "qcow2";
}

// What an older version kept of the files, beside their paths.
struct older_pins {
  std::string kernel = {};
  std::string initrd = {};
  std::vector<std::string> stamps = {}; // of the writable disks' images
};

// The parts of a contract that have no field of their own: "key=value".
struct argument_reader {
  machine& x;
  older_pins older = {};

  bool take(std::string_view key, const std::string& value) {
    if (key == "kernel" || key == "initrd")
      return is_path(value)
             && set(key == "kernel" ? x.kernel : x.initrd, value);
    if (key == "kernel_sha256")
      return from_hex(value) && set(older.kernel, value);
    if (key == "initrd_sha256")
      return from_hex(value) && set(older.initrd, value);
    if (key == "append")
      return value.size() <= append_max && set(x.append, value);
    if (key == "memory_block")
      return is_name(value) && set(x.memory_block, value);
    if (key == "debug_console")
      return take_switch(value, x.debug_console);
    if (key == "guest_agent")
      return take_switch(value, x.agent);
    if (key == "disk_stamp")
      return add(older.stamps, value);
    if (key == "egress")
      return x.egress.size() < egress_rules_max
             && parse_egress(value).has_value() && add(x.egress, value);
    if (key == "argument")
      return add(x.more, value);
    return (key == "disk" && take_disk(value))
           || (key == "network" && take_network(value));
  }

  static bool set(std::string& to, const std::string& value) {
    to = value;
    return true;
  }

  static bool add(std::vector<std::string>& to, const std::string& value) {
    to.push_back(value);
    return true;
  }

  static bool take_switch(const std::string& value, bool& to) {
    to = value == "on";
    return to || value == "off";
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
    if (second == std::string::npos || x.disks.size() == sealed_disks_max)
      return false;
    const auto format = value.substr(0, first);
    const auto mode = value.substr(first + 1, second - first - 1);
    const auto path = value.substr(second + 1);
    if (!is_disk_format(format) || (mode != "ro" && mode != "rw")
        || !is_path(path))
      return false;
    x.disks.push_back(
      {.path = path, .format = format, .readonly = mode == "ro"});
    return true;
  }
};

// "size:seconds.nanoseconds", as an older version wrote it.
pinned_file of_stamp(const std::string& stamp) {
  auto result = pinned_file{};
  int64_t seconds = 0;
  int64_t nanoseconds = 0;
  const auto* const end = stamp.data() + stamp.size();
  auto at = std::from_chars(stamp.data(), end, result.bytes);
  if (at.ec == std::errc{} && at.ptr != end)
    at = std::from_chars(at.ptr + 1, end, seconds);
  if (at.ec == std::errc{} && at.ptr != end)
    std::from_chars(at.ptr + 1, end, nanoseconds);
  constexpr int64_t seconds_max = 9'000'000'000;
  if (at.ec == std::errc{} && seconds > 0 && seconds < seconds_max
      && nanoseconds >= 0 && nanoseconds < 1'000'000'000)
    result.modified_ns = seconds * 1'000'000'000 + nanoseconds;
  return result;
}

// A contract of an older version names what it pinned in its arguments. What
// it did not pin has no entry, and a child is refused for it.
void add_older_pins(machine& x, const older_pins& older) {
  const auto add = [&x](std::string use, const std::string& path,
                        pinned_file pin) {
    pin.use = std::move(use);
    pin.path = path;
    x.files.push_back(std::move(pin));
  };
  if (!older.kernel.empty() && !x.kernel.empty())
    add(kernel_use, x.kernel, {.sha256 = older.kernel});
  if (!older.initrd.empty() && !x.initrd.empty())
    add(initrd_use, x.initrd, {.sha256 = older.initrd});
  std::size_t next = 0;
  for (std::size_t i = 0; i < x.disks.size(); ++i)
    if (!x.disks[i].readonly && next < older.stamps.size())
      add(disk_use(i, 0), x.disks[i].path, of_stamp(older.stamps[next++]));
}

status check_fields(const machine& x) {
  const auto bad = [](const std::string& what) {
    return fail(ec::unsupported, "the snapshot's contract has a " + what
                                   + " that no machine "
                                     "here has");
  };
  if (!is_name(x.type))
    return bad("machine type");
  if (x.accelerator != "tcg" && x.accelerator != "kvm")
    return bad("accelerator");
  if (!is_cpu(x.cpu))
    return bad("CPU");
  if (x.vcpus == 0 || x.vcpus > contract_vcpus_max)
    return bad("number of processors");
  return {};
}

} // namespace

std::string disk_use(std::size_t disk, std::size_t file) {
  return file == 0 ? fmt::format("disk{}", disk)
                   : fmt::format("disk{}:{}", disk, file);
}

std::string argument_use(std::size_t file) {
  return fmt::format("argument{}", file);
}

run_contract to_contract(const machine& x, const std::string& vmm_version) {
  auto result = run_contract{.driver = std::string{driver_name},
                             .vmm_version = vmm_version,
                             .machine = x.type,
                             .accelerator = x.accelerator,
                             .cpu = x.cpu,
                             .memory_bytes = x.memory_bytes,
                             .vcpus = x.vcpus,
                             .files = x.files};
  auto add = [&result](std::string_view key, std::string_view value) {
    if (!value.empty())
      result.arguments.push_back(fmt::format("{}={}", key, value));
  };
  add("kernel", x.kernel);
  add("initrd", x.initrd);
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
  for (const auto& argument : x.more)
    result.arguments.push_back("argument=" + argument);
  return result;
}

expected<machine> from_contract(const run_contract& contract) {
  if (contract.driver != driver_name)
    return fail(ec::unsupported,
                "snapshot of driver " + contract.driver + ", not of qemu");
  if (const auto why = broken_limit(contract); !why.empty())
    return fail(ec::unsupported, "the snapshot's manifest " + why);
  auto x = machine{};
  x.type = contract.machine;
  x.accelerator = contract.accelerator;
  x.cpu = contract.cpu;
  x.memory_bytes = contract.memory_bytes;
  x.vcpus = contract.vcpus;
  x.files = contract.files;
  auto reader = argument_reader{x};
  for (const auto& argument : contract.arguments) {
    const auto sign = argument.find('=');
    if (sign == std::string::npos
        || !reader.take(std::string_view{argument}.substr(0, sign),
                        argument.substr(sign + 1)))
      return fail(ec::unsupported,
                  "unknown in the snapshot's contract: " + argument);
  }
  if (auto good = check_fields(x); !good)
    return tl::unexpected(good.error());
  if (x.files.empty())
    add_older_pins(x, reader.older);
  return x;
}

} // namespace forkfleet::qemu
