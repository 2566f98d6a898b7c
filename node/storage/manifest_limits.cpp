// SPDX-License-Identifier: Apache-2.0
#include "node/storage/manifest_limits.hpp"

#include <algorithm>
#include <string_view>

#include "node/storage/hash.hpp"
#include "node/storage/qcow2_file.hpp"

namespace forkfleet {

namespace {

constexpr std::size_t short_text_max = 64;
constexpr std::size_t cpu_text_max = 512;
constexpr std::size_t signature_digits = 128;
constexpr uint64_t sealed_memory_max = uint64_t{1} << 40;
constexpr uint64_t sealed_vcpus_max = 256;

/// A layer holds no more than the disk has, and what qcow2 says about it; also
/// clusters that are no longer used.
constexpr uint64_t layer_bytes_max(const sealed_disk& disk) {
  return 2 * disk.bytes + (64u << 20);
}

/// Printable, blanks and tabs: what a line of a log or a table may have.
bool is_line(std::string_view text, std::size_t length_max) {
  return text.size() <= length_max && std::ranges::none_of(text, [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return (byte < 0x20 && c != '\t') || byte == 0x7f;
         });
}

bool is_hash_or_empty(std::string_view text) {
  return text.empty() || from_hex(text).has_value();
}

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_disk_name(std::string_view name) {
  constexpr std::string_view begin = "disk";
  return name.starts_with(begin) && name.size() > begin.size()
         && name.size() <= begin.size() + 3
         && name.find_first_not_of("0123456789", begin.size())
              == std::string_view::npos;
}

std::string broken_disks(const std::vector<sealed_disk>& disks) {
  if (disks.size() > sealed_disks_max)
    return "has more disks than a sandbox can have";
  for (std::size_t i = 0; i < disks.size(); ++i) {
    const auto& disk = disks[i];
    if (!is_disk_name(disk.name) || disk.layers.empty()
        || disk.layers.size() > sealed_layers_max)
      return "has a disk without a name or layers";
    if (disk.bytes == 0 || disk.bytes > qcow2_bytes_max)
      return "has a disk of " + std::to_string(disk.bytes) + " bytes";
    for (std::size_t j = 0; j < i; ++j)
      if (disks[j].name == disk.name)
        return "has " + disk.name + " twice";
    for (const auto& layer : disk.layers) {
      if (layer.bytes > layer_bytes_max(disk))
        return "has a layer of " + std::to_string(layer.bytes) + " bytes";
      if (!from_hex(layer.hash))
        return "has a layer without a hash";
    }
  }
  return {};
}

std::string broken_file(const pinned_file& x) {
  if (!is_line(x.use, short_text_max) || x.use.empty())
    return "has a file without a use in its contract";
  if (!is_line(x.path, contract_text_max) || !x.path.starts_with('/'))
    return "has a file in its contract whose path is none";
  if (!is_hash_or_empty(x.sha256))
    return "has a file in its contract whose SHA-256 is none";
  return {};
}

std::string broken_names(const snapshot_manifest& x) {
  if (!x.parent.value.empty() && !is_valid(x.parent))
    return "has a parent whose name is none";
  if (!x.host.value.empty() && !is_valid(x.host))
    return "has a host whose name is none";
  if (!is_line(x.method, short_text_max))
    return "has a method of more than " + std::to_string(short_text_max)
           + " characters, or of more than one line";
  if (!is_hash_or_empty(x.parent_hash) || !is_hash_or_empty(x.base_hash)
      || !is_hash_or_empty(x.runs_hash) || !is_hash_or_empty(x.signed_by))
    return "has a hash that is none";
  if (x.signature.size() > signature_digits || !is_hex(x.signature)
      || x.signature.empty() != x.signed_by.empty())
    return "has a signature that is none";
  return {};
}

} // namespace

std::string broken_limit(const run_contract& x) {
  const auto is_short = [](const std::string& text) {
    return is_line(text, short_text_max);
  };
  if (!is_short(x.driver) || !is_short(x.vmm_version) || !is_short(x.machine)
      || !is_short(x.accelerator) || !is_line(x.cpu, cpu_text_max))
    return "has a text in its contract that is too long, or no line";
  if (x.vcpus > sealed_vcpus_max || x.memory_bytes > sealed_memory_max)
    return "has a contract for a guest that cannot be";
  if (x.arguments.size() > contract_arguments_max
      || x.files.size() > contract_files_max)
    return "has a contract of more parts than a VM has";
  std::size_t bytes = 0;
  for (const auto& argument : x.arguments) {
    if (!is_line(argument, contract_text_max))
      return "has an argument in its contract that is longer than "
             + std::to_string(contract_text_max) + " characters, or no line";
    bytes += argument.size();
  }
  for (const auto& file : x.files) {
    if (auto why = broken_file(file); !why.empty())
      return why;
    bytes += file.path.size();
  }
  if (bytes > contract_bytes_max)
    return "has a contract of more than " + std::to_string(contract_bytes_max)
           + " characters";
  return {};
}

std::string broken_limit(const snapshot_manifest& x) {
  if (x.memory_bytes > sealed_memory_max || x.data_bytes > sealed_memory_max)
    return "has more memory than a guest can have";
  if (x.vmstate_bytes > vmstate_bytes_max)
    return "has " + std::to_string(x.vmstate_bytes)
           + " bytes of device state; at most "
           + std::to_string(vmstate_bytes_max) + " can be";
  if (x.contract.memory_bytes != 0 && x.contract.memory_bytes != x.memory_bytes)
    return "has a contract for another amount of memory than it holds";
  auto why = broken_names(x);
  if (why.empty())
    why = broken_limit(x.contract);
  return why.empty() ? broken_disks(x.disks) : why;
}

} // namespace forkfleet
