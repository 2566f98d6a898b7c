// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/stream_reader.hpp"

#include <array>
#include <cstring>

#include <fmt/format.h>

namespace forkfleet::qemu {

namespace {

constexpr std::array<uint8_t, stream_reader::take_max> zeros{};

} // namespace

void stream_reader::refuse(std::string_view what) {
  stop({ec::vmm_refused,
        fmt::format("migration stream, byte {}: {}", offset_, what)});
}

void stream_reader::stop(const failure& error) {
  if (ok())
    error_ = error;
}

bool stream_reader::fill(std::size_t count) {
  if (end_ - begin_ >= count)
    return ok();
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  while (ok() && end_ < count) {
    auto got = source_.read(std::span{buffer_}.subspan(end_));
    if (!got)
      stop(got.error());
    else if (*got == 0)
      refuse("ends in the middle of a record");
    else
      end_ += *got;
  }
  return ok();
}

byte_view stream_reader::take(std::size_t count) {
  if (!ok() || count > take_max || !fill(count))
    return byte_view{zeros}.first(std::min(count, take_max));
  auto view = byte_view{buffer_}.subspan(begin_, count);
  begin_ += count;
  offset_ += count;
  if (copy_)
    copy_->insert(copy_->end(), view.begin(), view.end());
  return view;
}

byte_view stream_reader::take_some() {
  if (!ok())
    return {};
  if (begin_ == end_) {
    auto got = source_.read(buffer_);
    if (!got) {
      stop(got.error());
      return {};
    }
    begin_ = 0;
    end_ = *got;
  }
  auto view = byte_view{buffer_}.subspan(begin_, end_ - begin_);
  begin_ = end_;
  offset_ += view.size();
  return view;
}

uint64_t stream_reader::number(std::size_t bytes) {
  uint64_t value = 0;
  for (const auto byte : take(bytes))
    value = value << 8 | byte;
  return value;
}

uint8_t stream_reader::u8() {
  return static_cast<uint8_t>(number(1));
}

uint16_t stream_reader::be16() {
  return static_cast<uint16_t>(number(2));
}

uint32_t stream_reader::be32() {
  return static_cast<uint32_t>(number(4));
}

uint64_t stream_reader::be64() {
  return number(8);
}

std::string stream_reader::text8() {
  const auto bytes = take(u8());
  return {bytes.begin(), bytes.end()};
}

} // namespace forkfleet::qemu
