// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/guest.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "actors/unique_fd.hpp"

namespace forkfleet {

namespace {

constexpr uint64_t working_pages_max = 256;
constexpr uint64_t page_magic = 0x666f726b'666c6565;
constexpr uint64_t state_magic = 0x73696d75'6c617465;

/// What stands at both ends of each page: bytes of two ticks in one page do
/// not go unseen.
struct page_stamp {
  uint64_t magic = 0;
  uint64_t page = 0;
  uint64_t tick = 0;
  uint64_t sum = 0;

  friend bool operator==(const page_stamp&, const page_stamp&) = default;
};

struct state_record {
  uint64_t magic = 0;
  uint64_t memory_bytes = 0;
  uint64_t working_pages = 0;
  uint64_t tick = 0;
  uint64_t sum = 0;
};

uint64_t mix(uint64_t a, uint64_t b) {
  auto x = a * 0x9e3779b97f4a7c15ull + b + 0x7f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  return x ^ (x >> 31);
}

/// A flat file as memory.
class file_memory : public memory_image {
public:
  file_memory(unique_fd fd, uint64_t bytes, std::string path)
    : fd_{std::move(fd)}, bytes_{bytes}, path_{std::move(path)} {}

  uint64_t bytes() const override { return bytes_; }

  status read(uint64_t address, std::span<uint8_t> into) const override {
    while (!into.empty()) {
      const auto count = ::pread(fd_.get(), into.data(), into.size(),
                                 static_cast<off_t>(address));
      if (count < 0 && errno == EINTR)
        continue;
      if (count < 0)
        return tl::unexpected{errno_failure(errno, "read " + path_)};
      // What lies beyond the file's end is zero.
      if (count == 0) {
        std::ranges::fill(into, uint8_t{0});
        return {};
      }
      into = into.subspan(static_cast<std::size_t>(count));
      address += static_cast<uint64_t>(count);
    }
    return {};
  }

private:
  unique_fd fd_;
  uint64_t bytes_;
  std::string path_;
};

expected<unique_fd> open_file(const std::string& path) {
  auto fd = unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd)
    return tl::unexpected{errno_failure(errno, "open " + path)};
  return fd;
}

expected<uint64_t> read_page(const memory_image& memory, uint64_t number) {
  auto page = std::array<uint8_t, guest_page_bytes>{};
  if (auto good = memory.read(number * guest_page_bytes, page); !good)
    return tl::unexpected{good.error()};
  return read_stamp(page, number);
}

} // namespace

uint64_t usual_working_pages(uint64_t memory_bytes) {
  return std::clamp<uint64_t>(memory_bytes / guest_page_bytes / 4, 1,
                              working_pages_max);
}

uint64_t last_write(uint64_t tick, uint64_t page, uint64_t count) {
  if (tick <= page)
    return 0;
  return tick - (tick - 1 - page) % count;
}

void stamp_page(std::span<uint8_t> page, uint64_t number, uint64_t tick) {
  const auto stamp = page_stamp{page_magic, number, tick, mix(number, tick)};
  auto filler = stamp.sum;
  for (std::size_t at = 0; at < page.size(); at += sizeof filler) {
    filler += tick;
    std::memcpy(page.data() + at, &filler, sizeof filler);
  }
  std::memcpy(page.data(), &stamp, sizeof stamp);
  std::memcpy(page.data() + page.size() - sizeof stamp, &stamp, sizeof stamp);
}

expected<uint64_t> read_stamp(std::span<const uint8_t> page, uint64_t number) {
  auto first = page_stamp{};
  auto last = page_stamp{};
  std::memcpy(&first, page.data(), sizeof first);
  std::memcpy(&last, page.data() + page.size() - sizeof last, sizeof last);
  if (first != last)
    return fail(ec::snapshot_corrupt,
                fmt::format("torn: page {} is of two ticks", number));
  if (first == page_stamp{})
    return uint64_t{0};
  if (first.magic != page_magic || first.page != number
      || first.sum != mix(number, first.tick))
    return fail(ec::snapshot_corrupt,
                fmt::format("page {} is damaged", number));
  return first.tick;
}

status check_instant(const guest_image& image) {
  const auto count = static_cast<uint64_t>(image.ticks.size());
  for (uint64_t page = 0; page < count; ++page) {
    const auto wanted = last_write(image.tick, page, count);
    if (image.ticks[page] != wanted)
      return fail(ec::snapshot_corrupt,
                  fmt::format("torn: at tick {} page {} must be of tick {}, "
                              "but is of {}",
                              image.tick, page, wanted, image.ticks[page]));
  }
  return {};
}

expected<uint64_t> write_state(const guest_state& state, int fd) {
  const auto record =
    state_record{state_magic, state.memory_bytes, state.working_pages,
                 state.tick, mix(state.tick, state_magic)};
  if (::pwrite(fd, &record, sizeof record, 0)
      != static_cast<ssize_t>(sizeof record))
    return tl::unexpected{
      errno_failure(errno, "write the snapshot's device state")};
  return uint64_t{sizeof record};
}

expected<guest_state> read_state(const std::string& path) {
  const auto fd = open_file(path);
  if (!fd)
    return tl::unexpected{fd.error()};
  auto record = state_record{};
  if (::pread(fd->get(), &record, sizeof record, 0) < 0)
    return tl::unexpected{errno_failure(errno, "read " + path)};
  const bool is_ours =
    record.magic == state_magic && record.sum == mix(record.tick, state_magic)
    && record.working_pages > 0
    && record.working_pages < record.memory_bytes / guest_page_bytes;
  if (!is_ours)
    return fail(ec::snapshot_corrupt,
                path + ": not the device state of a simulated VM");
  return guest_state{record.memory_bytes, record.working_pages, record.tick};
}

expected<guest_image> read_guest(const memory_image& memory,
                                 const guest_state& state) {
  auto image = guest_image{.memory_bytes = state.memory_bytes};
  for (uint64_t page = 0; page <= state.working_pages; ++page) {
    const auto tick = read_page(memory, page);
    if (!tick)
      return tl::unexpected{tick.error()};
    if (page == 0)
      image.tick = *tick;
    else
      image.ticks.push_back(*tick);
  }
  if (image.tick != state.tick)
    return fail(ec::snapshot_corrupt,
                fmt::format("torn: the memory is of tick {}, the device state "
                            "of tick {}",
                            image.tick, state.tick));
  if (auto good = check_instant(image); !good)
    return tl::unexpected{good.error()};
  return image;
}

expected<guest_image> read_guest(const std::string& memory_path,
                                 const std::string& vmstate_path) {
  const auto state = read_state(vmstate_path);
  if (!state)
    return tl::unexpected{state.error()};
  auto fd = open_file(memory_path);
  if (!fd)
    return tl::unexpected{fd.error()};
  auto image = read_guest(
    file_memory{std::move(*fd), state->memory_bytes, memory_path}, *state);
  if (!image)
    return fail(image.error().code, memory_path + ": " + image.error().message);
  return image;
}

} // namespace forkfleet
