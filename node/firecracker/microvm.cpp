// SPDX-License-Identifier: Apache-2.0
#include "node/firecracker/microvm.hpp"

#include <string_view>

#include <fmt/format.h>

namespace forkfleet::firecracker {

namespace {

constexpr const char* driver_name = "firecracker";
constexpr uint64_t mib = 1 << 20;
constexpr uint64_t vcpus_max = 32;

// What Firecracker's own default has, and where its console is.
constexpr const char* usual_arguments =
  "console=ttyS0 reboot=k panic=1 nomodule i8042.noaux i8042.nomux "
  "i8042.dumbkbd";

constexpr std::string_view root_word = "root,";
constexpr std::string_view readonly_word = "ro,";
constexpr std::string_view writable_word = "rw,";

std::string drive_argument(const drive& x) {
  return fmt::format("drive={},{}{}{}", x.id, x.is_root ? root_word : "",
                     x.is_readonly ? readonly_word : writable_word, x.path);
}

bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word))
    return false;
  text.remove_prefix(word.size());
  return true;
}

expected<drive> drive_of(std::string_view text) {
  const auto whole = text;
  auto result = drive{};
  const auto comma = text.find(',');
  if (comma == std::string_view::npos)
    return fail(ec::unsupported, fmt::format("no drive: {}", whole));
  result.id = text.substr(0, comma);
  text.remove_prefix(comma + 1);
  result.is_root = take(text, root_word);
  result.is_readonly = take(text, readonly_word);
  if (!result.is_readonly && !take(text, writable_word))
    return fail(ec::unsupported, fmt::format("no drive: {}", whole));
  result.path = text;
  return result;
}

bool take_argument(microvm& x, std::string_view key, std::string_view value) {
  if (key == "kernel")
    x.boot.kernel = value;
  else if (key == "initrd")
    x.boot.initrd = value;
  else if (key == "arguments")
    x.boot.arguments = value;
  else if (key == "drive") {
    auto one = drive_of(value);
    if (!one)
      return false;
    x.drives.push_back(std::move(*one));
  } else
    return false;
  return true;
}

} // namespace

expected<microvm> microvm_of(const config::sandbox_section& spec) {
  auto x = microvm{};
  x.boot = {
    .kernel = spec.kernel, .initrd = spec.initrd, .arguments = usual_arguments};
  if (!spec.append.empty())
    x.boot.arguments += " " + spec.append;
  x.machine = {
    .vcpus = spec.vcpus, .memory_bytes = spec.memory.value, .tracks = true};
  if (x.machine.memory_bytes % mib != 0)
    return fail(ec::invalid_request, "Firecracker takes memory in whole MiB");
  if (x.machine.vcpus == 0 || x.machine.vcpus > vcpus_max)
    return fail(ec::invalid_request,
                fmt::format("Firecracker takes 1 to {} vcpus", vcpus_max));
  for (const auto& disk : spec.disks) {
    if (disk.format != "raw")
      return fail(ec::invalid_request,
                  disk.path + ": Firecracker takes raw disks only");
    x.drives.push_back({.id = fmt::format("disk{}", x.drives.size()),
                        .path = disk.path,
                        .is_readonly = disk.readonly});
  }
  return x;
}

run_contract to_contract(const microvm& x, const std::string& version) {
  auto result = run_contract{.driver = driver_name,
                             .vmm_version = version,
                             .machine = "microvm",
                             .accelerator = "kvm",
                             .cpu = "host",
                             .memory_bytes = x.machine.memory_bytes,
                             .vcpus = x.machine.vcpus,
                             .files = x.files};
  auto add = [&result](std::string_view key, std::string_view value) {
    if (!value.empty())
      result.arguments.push_back(fmt::format("{}={}", key, value));
  };
  add("kernel", x.boot.kernel);
  add("initrd", x.boot.initrd);
  add("arguments", x.boot.arguments);
  for (const auto& one : x.drives)
    result.arguments.push_back(drive_argument(one));
  return result;
}

expected<microvm> from_contract(const run_contract& contract) {
  if (contract.driver != driver_name)
    return fail(ec::unsupported, "snapshot of driver " + contract.driver
                                   + ", not of firecracker");
  auto x = microvm{};
  x.machine = {.vcpus = contract.vcpus,
               .memory_bytes = contract.memory_bytes,
               .tracks = true};
  x.files = contract.files;
  for (const auto& argument : contract.arguments) {
    const auto sign = argument.find('=');
    if (sign == std::string::npos
        || !take_argument(x, std::string_view{argument}.substr(0, sign),
                          std::string_view{argument}.substr(sign + 1)))
      return fail(ec::unsupported,
                  "unknown in the snapshot's contract: " + argument);
  }
  return x;
}

} // namespace forkfleet::firecracker
