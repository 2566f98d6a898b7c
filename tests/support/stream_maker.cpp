// SPDX-License-Identifier: Apache-2.0
#include "tests/support/stream_maker.hpp"

#include <algorithm>

namespace forkfleet::test {

using qemu::page_bytes;

stream_maker& stream_maker::byte(uint8_t x) {
  bytes.push_back(x);
  return *this;
}

stream_maker& stream_maker::number(uint64_t x, int count) {
  for (int i = count - 1; i >= 0; --i)
    byte(static_cast<uint8_t>(x >> (8 * i)));
  return *this;
}

stream_maker& stream_maker::text(std::string_view x) {
  bytes.insert(bytes.end(), x.begin(), x.end());
  return *this;
}

stream_maker& stream_maker::header() {
  return text("QEVM").number(3, 4);
}

stream_maker& stream_maker::configuration(std::string_view machine) {
  return byte(0x07).number(machine.size(), 4).text(machine);
}

stream_maker& stream_maker::start(
  const std::vector<std::pair<std::string, uint64_t>>& blocks) {
  byte(0x01).number(2, 4).byte(3).text("ram").number(0, 4).number(4, 4);
  uint64_t total = 0;
  for (const auto& block : blocks)
    total += block.second;
  number(total | 4, 8);
  for (const auto& [name, size] : blocks)
    byte(static_cast<uint8_t>(name.size())).text(name).number(size, 8);
  return number(0x10, 8).byte(0x7e).number(2, 4);
}

stream_maker& stream_maker::begin_part() {
  return byte(0x02).number(2, 4);
}

stream_maker& stream_maker::page(std::string_view block, uint64_t address,
                                 uint8_t fill) {
  number(address | 0x08, 8).byte(static_cast<uint8_t>(block.size()));
  text(block);
  bytes.insert(bytes.end(), page_bytes, fill);
  return *this;
}

stream_maker& stream_maker::next_page(uint64_t address, uint8_t fill) {
  number(address | 0x28, 8);
  bytes.insert(bytes.end(), page_bytes, fill);
  return *this;
}

stream_maker& stream_maker::zero(std::string_view block, uint64_t address) {
  number(address | 0x02, 8).byte(static_cast<uint8_t>(block.size()));
  return text(block).byte(0);
}

stream_maker& stream_maker::end_part() {
  return number(0x10, 8).byte(0x7e).number(2, 4);
}

stream_maker& stream_maker::command() {
  return byte(0x08).number(11, 2).number(2, 2).text("ab");
}

stream_maker& stream_maker::state(std::string_view x) {
  return byte(0x04).text(x);
}

std::vector<uint8_t> small_stream() {
  return stream_maker{}
    .header()
    .configuration("microvm")
    .start({{"mem", 4 * page_bytes}, {"bios", page_bytes}})
    .begin_part()
    .page("mem", 0, 1)
    .next_page(page_bytes, 2)
    .page("bios", 0, 9)
    .zero("mem", 2 * page_bytes)
    .end_part()
    .command()
    .begin_part()
    .page("mem", 3 * page_bytes, 4)
    .end_part()
    .state("device state")
    .bytes;
}

expected<std::size_t> memory_source::read(std::span<uint8_t> room) {
  const auto count = std::min({room.size(), step_, bytes_.size() - next_});
  std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(next_), count,
              room.begin());
  next_ += count;
  return count;
}

status memory_sink::count() {
  if (writes++ >= writes_left)
    return fail(ec::disk_full, "the sink is full");
  return {};
}

status memory_sink::data_page(uint64_t address, qemu::byte_view page) {
  std::copy(page.begin(), page.end(),
            memory.begin() + static_cast<std::ptrdiff_t>(address));
  return count();
}

status memory_sink::zero_page(uint64_t address) {
  std::fill_n(memory.begin() + static_cast<std::ptrdiff_t>(address), page_bytes,
              uint8_t{0});
  return count();
}

status memory_sink::device_state(qemu::byte_view bytes) {
  state.append(bytes.begin(), bytes.end());
  return count();
}

} // namespace forkfleet::test
