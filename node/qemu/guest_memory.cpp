// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/guest_memory.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/uio.h>

#include <fmt/format.h>

#include "actors/durable_file.hpp"

namespace forkfleet::qemu {

namespace {

constexpr std::size_t maps_bytes_max = 64u << 20;
constexpr std::size_t parts_per_call = 512;

} // namespace

expected<std::vector<mapping>> mappings_of(const process_id& id) {
  const auto maps =
    read_small_file(fmt::format("/proc/{}/maps", id.pid), maps_bytes_max);
  if (!maps)
    return fail(ec::unsupported, maps.error().message);
  return read_mappings(*maps);
}

expected<guest_memory> guest_memory::open(const process_id& id, uint64_t bytes,
                                          const std::string& path,
                                          uint64_t begin) {
  const auto mappings = mappings_of(id);
  if (!mappings)
    return tl::unexpected(mappings.error());
  auto found = std::vector<uint64_t>{};
  if (begin == 0)
    found = find_memory(*mappings, bytes, path);
  else if (is_mapped(*mappings, begin, bytes))
    found = {begin};
  if (found.size() != 1)
    return fail(ec::unsupported,
                fmt::format("{} mappings of process {} could be the guest's "
                            "memory",
                            found.size(), id.pid));
  auto result = guest_memory{id.pid, found.front(), bytes,
                             kind_of_memory(*mappings, found.front(), bytes)};
  auto page = std::array<uint8_t, guest_page_bytes>{};
  if (auto tried = result.read_one({0, guest_page_bytes}, page); !tried)
    return fail(ec::unsupported, tried.error().message);
  return result;
}

status guest_memory::read(std::span<const memory_range> parts,
                          std::span<const std::span<uint8_t>> rooms) const {
  auto remote = std::array<iovec, parts_per_call>{};
  auto local = remote;
  while (!parts.empty()) {
    const auto count = std::min(parts.size(), remote.size());
    uint64_t size = 0;
    for (std::size_t i = 0; i < count; ++i) {
      remote[i] = {reinterpret_cast<void*>(begin_ + parts[i].begin),
                   parts[i].bytes()};
      local[i] = {rooms[i].data(), rooms[i].size()};
      size += parts[i].bytes();
    }
    const auto got =
      ::process_vm_readv(pid_, local.data(), count, remote.data(), count, 0);
    // A call ends early at a limit of the kernel: part by part none does.
    for (std::size_t i = 0; got != static_cast<ssize_t>(size) && i < count; ++i)
      if (auto done = read_one(parts[i], rooms[i]); !done)
        return done;
    parts = parts.subspan(count);
    rooms = rooms.subspan(count);
  }
  return {};
}

status guest_memory::read_one(memory_range part,
                              std::span<uint8_t> target) const {
  while (part.begin < part.end) {
    const auto size = part.bytes();
    auto local = iovec{target.data(), size};
    auto remote = iovec{reinterpret_cast<void*>(begin_ + part.begin), size};
    const auto got = ::process_vm_readv(pid_, &local, 1, &remote, 1, 0);
    if (got <= 0)
      return tl::unexpected(
        errno_failure(got < 0 ? errno : EFAULT,
                      fmt::format("reading the memory of process {}", pid_)));
    target = target.subspan(static_cast<std::size_t>(got));
    part.begin += static_cast<uint64_t>(got);
  }
  return {};
}

} // namespace forkfleet::qemu
