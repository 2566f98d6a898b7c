// SPDX-License-Identifier: Apache-2.0
#include "node/storage/image_comparison.hpp"

#include <algorithm>
#include <cstring>

namespace forkfleet {

namespace {

/// What is read at once of each.
constexpr uint64_t piece_bytes = 1u << 20;

/// A place in a layout that only moves upwards.
class cursor {
public:
  explicit cursor(const memory_layout& layout) : layout_{layout} {}

  void move_to(uint64_t address) {
    address_ = address;
    while (address >= segment().address + segment().bytes)
      ++index_;
  }

  /// How far the segment goes on from here.
  uint64_t left() const {
    return segment().address + segment().bytes - address_;
  }

  /// Whether both are at the same bytes of the same file, or at zeros.
  bool is_same(const cursor& other) const {
    const auto& a = segment();
    const auto& b = other.segment();
    if (!a.file || !b.file)
      return !a.file && !b.file;
    return layout_.files[*a.file] == other.layout_.files[*b.file]
           && a.offset - a.address == b.offset - b.address;
  }

private:
  const memory_segment& segment() const { return layout_.segments[index_]; }

  const memory_layout& layout_;
  uint64_t address_ = 0;
  std::size_t index_ = 0;
};

class comparison {
public:
  comparison(const layered_image& a, const layered_image& b, const pace& how)
    : a_{a}, b_{b}, how_{how} {
    result_.memory_bytes = a.bytes();
  }

  expected<image_difference> run() {
    cursor in_a{a_.layout()};
    cursor in_b{b_.layout()};
    for (uint64_t at = 0; at < a_.bytes();) {
      in_a.move_to(at);
      in_b.move_to(at);
      const auto part = std::min(in_a.left(), in_b.left());
      if (in_a.is_same(in_b))
        result_.shared_bytes += part;
      else if (auto done = read(at, part); !done)
        return tl::unexpected<failure>(done.error());
      at += part;
    }
    return std::move(result_);
  }

private:
  status read(uint64_t at, uint64_t bytes) {
    for (const auto end = at + bytes; at < end;) {
      const auto piece = std::min(piece_bytes, end - at);
      const auto left = std::span{left_}.first(piece);
      const auto right = std::span{right_}.first(piece);
      auto done = how_.wait();
      if (done)
        done = a_.read(at, left);
      if (done)
        done = b_.read(at, right);
      if (!done)
        return done;
      for (uint64_t i = 0; i < piece; i += guest_page_bytes)
        compare(at + i, left.subspan(i), right.subspan(i));
      result_.read_bytes += piece;
      at += piece;
    }
    return {};
  }

  void compare(uint64_t at, std::span<const uint8_t> left,
               std::span<const uint8_t> right) {
    const auto bytes = std::min<uint64_t>(left.size(), guest_page_bytes);
    if (std::memcmp(left.data(), right.data(), bytes) == 0)
      return;
    ++result_.pages;
    if (result_.runs == 0 || end_ != at)
      begin_run(at);
    end_ = at + bytes;
    if (result_.runs <= compared_runs_max)
      result_.table.back().bytes += bytes;
  }

  void begin_run(uint64_t at) {
    if (++result_.runs <= compared_runs_max)
      result_.table.push_back({.offset = at});
  }

  const layered_image& a_;
  const layered_image& b_;
  const pace& how_;
  image_difference result_ = {};
  uint64_t end_ = 0; // of the last run
  std::vector<uint8_t> left_ = std::vector<uint8_t>(piece_bytes);
  std::vector<uint8_t> right_ = std::vector<uint8_t>(piece_bytes);
};

} // namespace

expected<image_difference> compare_images(const layered_image& a,
                                          const layered_image& b,
                                          const pace& how) {
  if (a.bytes() != b.bytes())
    return fail(ec::invalid_request, "one has " + std::to_string(a.bytes())
                                       + " bytes of memory, the other "
                                       + std::to_string(b.bytes())
                                       + "; compare snapshots of one guest");
  return comparison{a, b, how}.run();
}

} // namespace forkfleet
