// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/disk_files.hpp"

#include <algorithm>
#include <charconv>
#include <fcntl.h>

#include <fmt/format.h>

#include "node/qemu/vm_owner.hpp"
#include "node/storage/file.hpp"
#include "node/storage/qcow2_file.hpp"
#include "node/storage/sealed_disks.hpp"

namespace forkfleet::qemu {

namespace {

constexpr uint64_t base_sector_bytes = 512;
constexpr std::size_t base_header_bytes = 104;

bool take_number(std::string_view& text, std::size_t& number) {
  const auto* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{})
    return false;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  return true;
}

// What the guest sees of the base.
expected<uint64_t> base_bytes(const config::disk_section& base) {
  const auto fd = open_file(base.path, O_RDONLY);
  if (!fd)
    return tl::unexpected(fd.error());
  const auto size = file_size(fd->get(), base.path);
  if (!size)
    return tl::unexpected(size.error());
  if (base.format == "raw")
    return (*size + base_sector_bytes - 1) / base_sector_bytes
           * base_sector_bytes;
  auto begin =
    std::vector<uint8_t>(std::min<uint64_t>(*size, base_header_bytes));
  if (auto read = read_at(fd->get(), begin, 0, base.path); !read)
    return tl::unexpected(read.error());
  return qcow2_bytes(begin, base.path);
}

const frozen_disk* find_disk(const start_plan& plan, const std::string& name) {
  for (const auto& disk : plan.snapshot->disks)
    if (disk.name == name)
      return &disk;
  return nullptr;
}

// What a VM that ended left in this directory, which is one sandbox' own.
status remove_layers(const std::string& directory) {
  const auto names = list_directory(directory);
  if (!names)
    return tl::unexpected(names.error());
  constexpr std::string_view suffix = ".qcow2";
  for (const auto& name : *names) {
    if (!name.ends_with(suffix)
        || !parse_layer(
          std::string_view{name}.substr(0, name.size() - suffix.size())))
      continue;
    if (auto gone = remove_file(directory + "/" + name); !gone)
      return gone;
  }
  return {};
}

expected<std::vector<json>> make_disk(const start_plan& plan, std::size_t disk,
                                      const config::disk_section& base) {
  auto result = std::vector<json>{};
  const auto under = [&] {
    return result.empty() ? fmt::format("disk{}-base", disk)
                          : layer_name{disk, result.size() - 1}.node();
  };
  auto bytes = expected<uint64_t>{0};
  if (plan.snapshot) {
    const auto* const frozen = find_disk(plan, fmt::format("disk{}", disk));
    if (frozen == nullptr)
      return fail(ec::unsupported,
                  fmt::format("snapshot {} lacks disk{}, which its guest "
                              "writes",
                              plan.snapshot->info.tag.value, disk));
    bytes = frozen->bytes;
    const bool is_own = plan.snapshot->info.origin == snapshot_origin::sealed;
    for (const auto& layer : frozen->layers) {
      const auto name = layer_name{disk, result.size()};
      const auto path = plan.directory + "/" + name.file();
      // Before QEMU reads it: it may come from a stranger.
      if (auto good = check_layer(layer, *bytes, !is_own); !good)
        return tl::unexpected(good.error());
      if (auto shared = share_layer(layer, path); !shared)
        return tl::unexpected(shared.error());
      if (auto readable = share_with_vm(path); !readable)
        return tl::unexpected(readable.error());
      result.push_back(layer_node(name, under(), false));
    }
  } else {
    bytes = base_bytes(base);
  }
  if (!bytes)
    return tl::unexpected(bytes.error());
  const auto name = layer_name{disk, result.size()};
  const auto path = plan.directory + "/" + name.file();
  if (auto made = make_qcow2(path, *bytes); !made)
    return tl::unexpected(made.error());
  if (auto given = give_to_vm(path); !given)
    return tl::unexpected(given.error());
  result.push_back(layer_node(name, under(), true));
  return result;
}

} // namespace

std::string layer_name::node() const {
  return fmt::format("disk{}-{}", disk, index);
}

std::string layer_name::file() const {
  return node() + ".qcow2";
}

std::optional<layer_name> parse_layer(std::string_view node) {
  constexpr std::string_view begin = "disk";
  auto result = layer_name{};
  auto rest = node;
  if (!rest.starts_with(begin))
    return {};
  rest.remove_prefix(begin.size());
  if (!take_number(rest, result.disk) || !rest.starts_with('-'))
    return {};
  rest.remove_prefix(1);
  if (!take_number(rest, result.index) || !rest.empty()
      || result.node() != node)
    return {};
  return result;
}

expected<std::vector<std::vector<json>>> make_layers(const start_plan& plan,
                                                     const machine& x) {
  auto result = std::vector<std::vector<json>>(x.disks.size());
  if (auto cleared = remove_layers(plan.directory); !cleared)
    return tl::unexpected(cleared.error());
  for (std::size_t i = 0; i < x.disks.size(); ++i) {
    if (x.disks[i].readonly)
      continue;
    auto made = make_disk(plan, i, x.disks[i]);
    if (!made)
      return tl::unexpected(made.error());
    result[i] = std::move(*made);
  }
  return result;
}

json layer_node(const layer_name& name, const std::string& backing,
                bool is_active) {
  // The layer lives no longer than its VM does; what a snapshot keeps of it
  // is synced when that is sealed. So nothing is synced for the guest.
  return {{"driver", "qcow2"},
          {"node-name", name.node()},
          {"read-only", !is_active},
          {"discard", "unmap"},
          {"cache", {{"no-flush", true}}},
          {"backing", backing.empty() ? json(nullptr) : json(backing)},
          {"file", {{"driver", "file"}, {"filename", name.file()}}}};
}

} // namespace forkfleet::qemu
