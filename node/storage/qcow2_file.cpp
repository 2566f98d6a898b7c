// SPDX-License-Identifier: Apache-2.0
// Offsets and meanings are those of QEMU's docs/interop/qcow2.txt.
#include "node/storage/qcow2_file.hpp"

#include <algorithm>
#include <fcntl.h>

#include "node/storage/big_endian.hpp"
#include "node/storage/file.hpp"

namespace forkfleet {

namespace {

constexpr uint64_t cluster_bits = 16;
constexpr uint64_t cluster_bytes = qcow2_cluster_bytes;
static_assert(cluster_bytes == 1u << cluster_bits);
constexpr uint64_t table_entries = cluster_bytes / sizeof(uint64_t);
constexpr uint64_t table_offset_mask = 0x00ffffff'fffffe00;
constexpr uint64_t qcow2_sector_bytes = 512;
constexpr uint64_t qcow2_begin = 0x514649fb'00000003;
constexpr uint64_t qcow2_magic = qcow2_begin >> 32;
constexpr std::size_t qcow2_header_bytes = 104;
constexpr std::size_t cluster_bits_at = 20;
constexpr std::size_t size_at = 24;
constexpr std::size_t l1_size_at = 36;
constexpr std::size_t l1_offset_at = 40;

// The header, the table of refcount blocks, one such block; then the L1 table.
constexpr uint64_t refcounts_at = 1 * cluster_bytes;
constexpr uint64_t block_at = 2 * cluster_bytes;
constexpr uint64_t l1_at = 3 * cluster_bytes;

constexpr uint64_t parts_of(uint64_t x, uint64_t by) {
  return (x + by - 1) / by;
}

void put_number(std::vector<uint8_t>& to, uint64_t at, uint64_t value,
                int bytes) {
  for (int i = 0; i < bytes; ++i)
    to[at + static_cast<uint64_t>(i)] =
      static_cast<uint8_t>(value >> (8 * (bytes - 1 - i)));
}

} // namespace

std::vector<uint8_t> empty_qcow2(uint64_t bytes) {
  // An entry of the L1 table stands for a cluster of 8-byte entries.
  const auto l1_entries = parts_of(bytes, cluster_bytes * table_entries);
  const auto l1_clusters =
    parts_of(l1_entries * sizeof(uint64_t), cluster_bytes);
  const auto clusters = l1_at / cluster_bytes + l1_clusters;
  std::vector<uint8_t> result(clusters * cluster_bytes);
  put_number(result, 0, qcow2_begin, 8);
  put_number(result, cluster_bits_at, cluster_bits, 4);
  put_number(result, size_at, bytes, 8);
  put_number(result, l1_size_at, l1_entries, 4);
  put_number(result, l1_offset_at, l1_at, 8);
  put_number(result, 48, refcounts_at, 8);
  put_number(result, 56, 1, 4); // clusters of the table of refcount blocks
  put_number(result, 96, 4, 4); // refcounts of 2^4 bits
  put_number(result, 100, qcow2_header_bytes, 4);
  put_number(result, refcounts_at, block_at, 8);
  for (uint64_t i = 0; i < clusters; ++i)
    put_number(result, block_at + 2 * i, 1, 2);
  return result;
}

status make_qcow2(const std::string& path, uint64_t bytes) {
  if (bytes == 0 || bytes > qcow2_bytes_max || bytes % qcow2_sector_bytes != 0)
    return fail(ec::invalid_request,
                path + ": no disk has " + std::to_string(bytes) + " bytes");
  const auto fd = open_file(path, O_RDWR | O_CREAT | O_EXCL);
  if (!fd)
    return tl::unexpected<failure>(fd.error());
  auto done = write_at(fd->get(), empty_qcow2(bytes), 0, path);
  if (!done)
    static_cast<void>(remove_file(path));
  return done;
}

expected<uint64_t> qcow2_bytes(std::span<const uint8_t> header,
                               const std::string& path) {
  if (header.size() < size_at + sizeof(uint64_t)
      || number_at(header, 0) >> 32 != qcow2_magic)
    return fail(ec::invalid_request, path + ": is no qcow2 image");
  const auto bytes = number_at(header, size_at);
  if (bytes == 0 || bytes > qcow2_bytes_max)
    return fail(ec::invalid_request, path + ": says that it has "
                                       + std::to_string(bytes) + " bytes");
  return parts_of(bytes, qcow2_sector_bytes) * qcow2_sector_bytes;
}

namespace {

constexpr uint64_t incompatible_at = 72;
constexpr uint64_t header_length_at = 100;
constexpr std::size_t qcow2_v2_header_bytes = 72;
constexpr std::size_t name_bytes_max = 1023;
constexpr uint64_t extensions_max = 64;
constexpr uint64_t backing_format_extension = 0xe2792aca;
constexpr uint64_t data_file_extension = 0x44415441;
constexpr uint64_t table_bytes_max = 32u << 20;

/// A number of 4 bytes.
uint64_t word_at(std::span<const uint8_t> bytes, std::size_t at) {
  uint64_t result = 0;
  for (std::size_t i = 0; i < 4; ++i)
    result = result << 8 | bytes[at + i];
  return result;
}

std::string text_at(std::span<const uint8_t> bytes, std::size_t at,
                    std::size_t size) {
  return {reinterpret_cast<const char*>(bytes.data()) + at, size};
}

/// Fills in what the header's extensions say; false when one points out of
/// what there is.
bool take_extensions(std::span<const uint8_t> begin, std::size_t at,
                     qcow2_header& x) {
  for (uint64_t i = 0; i < extensions_max; ++i) {
    if (at + 8 > begin.size())
      return false;
    const auto kind = word_at(begin, at);
    const auto size = word_at(begin, at + 4);
    at += 8;
    if (kind == 0)
      return true;
    if (size > begin.size() - at)
      return false;
    if (kind == backing_format_extension)
      x.backing_format = text_at(begin, at, size);
    if (kind == data_file_extension)
      x.data_file = text_at(begin, at, size);
    at += parts_of(size, 8) * 8;
    if (at > begin.size())
      return false;
  }
  return false;
}

} // namespace

expected<qcow2_header> read_header(std::span<const uint8_t> begin,
                                   const std::string& path) {
  const auto bad = [&path](const char* why) {
    return fail(ec::invalid_request, path + ": " + why);
  };
  const auto bytes = qcow2_bytes(begin, path);
  if (!bytes)
    return tl::unexpected<failure>(bytes.error());
  if (begin.size() < qcow2_v2_header_bytes)
    return bad("ends inside of its qcow2 header");
  qcow2_header x{.bytes = *bytes,
                 .version = word_at(begin, 4),
                 .cluster_bits = word_at(begin, cluster_bits_at),
                 .snapshots = word_at(begin, 60),
                 .is_encrypted = word_at(begin, 32) != 0};
  if (x.version != 2 && x.version != 3)
    return bad("is qcow2 of a version that is neither 2 nor 3");
  auto length = qcow2_v2_header_bytes;
  if (x.version == 3) {
    if (begin.size() < qcow2_header_bytes)
      return bad("ends inside of its qcow2 header");
    x.incompatible = number_at(begin, incompatible_at);
    length = word_at(begin, header_length_at);
  }
  if (length < qcow2_v2_header_bytes || length % 8 != 0
      || !take_extensions(begin, length, x))
    return bad("has a qcow2 header that does not end");
  const auto name_at = number_at(begin, 8);
  const auto name_bytes = word_at(begin, 16);
  if (name_at != 0) {
    if (name_bytes > name_bytes_max || name_at > begin.size()
        || name_bytes > begin.size() - name_at)
      return bad("names what it lies over outside of its qcow2 header");
    x.backing = text_at(begin, name_at, name_bytes);
  }
  return x;
}

expected<qcow2_header> read_header_of(const std::string& path) {
  const auto fd = open_file(path, O_RDONLY | O_NONBLOCK);
  if (!fd)
    return tl::unexpected<failure>(fd.error());
  const auto size = file_size(fd->get(), path);
  if (!size)
    return tl::unexpected<failure>(size.error());
  std::vector<uint8_t> begin(std::min<uint64_t>(*size, qcow2_header_max));
  if (auto read = read_at(fd->get(), begin, 0, path); !read)
    return tl::unexpected<failure>(read.error());
  return read_header(begin, path);
}

status check_layer(const std::string& path, uint64_t disk_bytes,
                   bool is_foreign) {
  const auto header = read_header_of(path);
  const auto bad = [&path](const std::string& why) {
    return fail(ec::snapshot_corrupt, path + ": is no layer of a disk: " + why);
  };
  if (!header)
    return fail(header.error().code == ec::invalid_request
                  ? ec::snapshot_corrupt
                  : header.error().code,
                header.error().message);
  if (is_foreign && !header->backing.empty())
    return bad("it names a file that it lies over");
  if (!header->data_file.empty() || header->incompatible != 0)
    return bad("its data lies elsewhere, or in a way that is not ours");
  if (header->version != 3 || header->cluster_bits != cluster_bits
      || header->is_encrypted || header->snapshots != 0)
    return bad("it is not of the kind that is made here");
  if (header->bytes != disk_bytes)
    return bad("it is of a disk of " + std::to_string(header->bytes)
               + " bytes");
  return {};
}

status mark_written(const std::string& path, std::vector<bool>& written) {
  const auto fd = open_file(path, O_RDONLY);
  if (!fd)
    return tl::unexpected<failure>(fd.error());
  std::vector<uint8_t> header(qcow2_header_bytes);
  std::vector<uint8_t> l2(cluster_bytes);
  auto done = read_at(fd->get(), header, 0, path);
  const auto l1_entries = number_at(header, l1_size_at) >> 32;
  if (done
      && (number_at(header, 0) != qcow2_begin
          || number_at(header, cluster_bits_at) >> 32 != cluster_bits
          || l1_entries > parts_of(written.size(), table_entries)))
    return fail(ec::snapshot_corrupt, path + ": is no layer of this disk");
  std::vector<uint8_t> l1(l1_entries * sizeof(uint64_t));
  if (done)
    done = read_at(fd->get(), l1, number_at(header, l1_offset_at), path);
  for (uint64_t i = 0; done && i < l1_entries; ++i) {
    const auto table = number_at(l1, i * sizeof(uint64_t)) & table_offset_mask;
    if (table == 0)
      continue;
    done = read_at(fd->get(), l2, table, path);
    const auto first = i * table_entries;
    for (uint64_t j = 0; j < table_entries && first + j < written.size(); ++j)
      if (number_at(l2, j * sizeof(uint64_t)) != 0)
        written[first + j] = true;
  }
  return done;
}

} // namespace forkfleet
