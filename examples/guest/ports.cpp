// SPDX-License-Identifier: Apache-2.0
#include "examples/guest/ports.hpp"

#include <ctime>
#include <sys/io.h>

namespace forkfleet::guest {

namespace {

constexpr uint16_t debug_console_port = 0xe9;
constexpr uint16_t cmos_index_port = 0x70;
constexpr uint16_t cmos_data_port = 0x71;

enum cmos_register : uint8_t {
  seconds = 0x00,
  minutes = 0x02,
  hours = 0x04,
  day = 0x07,
  month = 0x08,
  year = 0x09,
  status_b = 0x0b,
};

constexpr uint8_t is_binary = 0x04;

uint8_t read_cmos(cmos_register which) {
  outb(which, cmos_index_port);
  return inb(cmos_data_port);
}

int number(uint8_t raw, bool binary) {
  return binary ? raw : (raw >> 4) * 10 + (raw & 0x0f);
}

} // namespace

bool open_ports() {
  return ioperm(debug_console_port, 1, 1) == 0
         && ioperm(cmos_index_port, 2, 1) == 0;
}

void write_debug_console(std::span<const uint8_t> bytes) {
  outsb(debug_console_port, bytes.data(), bytes.size());
}

uint8_t read_clock_seconds_register() {
  return read_cmos(seconds);
}

int64_t read_clock() {
  // A second edge between two registers would mix two times: read again.
  for (int attempt = 0; attempt < 4; ++attempt) {
    const auto first = read_cmos(seconds);
    if (first == 0xff)
      return -1;
    const bool binary = (read_cmos(status_b) & is_binary) != 0;
    std::tm time{};
    time.tm_sec = number(first, binary);
    time.tm_min = number(read_cmos(minutes), binary);
    time.tm_hour = number(read_cmos(hours), binary);
    time.tm_mday = number(read_cmos(day), binary);
    time.tm_mon = number(read_cmos(month), binary) - 1;
    time.tm_year = 100 + number(read_cmos(year), binary);
    if (read_cmos(seconds) == first)
      return timegm(&time);
  }
  return -1;
}

} // namespace forkfleet::guest
