// SPDX-License-Identifier: Apache-2.0
#include "node/storage/diff_file.hpp"

#include <fcntl.h>

#include "node/storage/file.hpp"

namespace forkfleet {

namespace {

expected<std::vector<uint8_t>> read_part(const diff_file& file, uint64_t offset,
                                         uint64_t bytes) {
  std::vector<uint8_t> result(bytes);
  if (auto read = read_at(file.fd.get(), result, offset, file.path); !read)
    return tl::unexpected<failure>(read.error());
  return result;
}

expected<diff_table> read_table(const diff_file& file) {
  const auto size = file_size(file.fd.get(), file.path);
  if (!size)
    return tl::unexpected<failure>(size.error());
  if (*size < diff_file_bytes(0, 0))
    return fail(ec::snapshot_corrupt, file.path + " is too short");
  const auto trailer =
    read_part(file, *size - diff_trailer_bytes, diff_trailer_bytes);
  if (!trailer)
    return tl::unexpected<failure>(trailer.error());
  const auto promised = read_diff_trailer(*trailer, *size, file.path);
  if (!promised)
    return tl::unexpected<failure>(promised.error());
  const auto header = read_part(file, 0, diff_header_bytes);
  if (!header)
    return tl::unexpected<failure>(header.error());
  const auto tail_at = diff_data_offset + promised->data_bytes;
  const auto tail = read_part(file, tail_at, *size - tail_at);
  if (!tail)
    return tl::unexpected<failure>(tail.error());
  return read_diff_table(*header, *tail, *promised, file.path);
}

} // namespace

expected<diff_file> open_diff(const std::string& path) {
  auto fd = open_file(path, O_RDONLY | O_NONBLOCK);
  if (!fd)
    return tl::unexpected<failure>(fd.error());
  diff_file result{.fd = std::move(*fd), .path = path};
  auto table = read_table(result);
  if (!table)
    return tl::unexpected<failure>(table.error());
  result.table = std::move(*table);
  return result;
}

status verify_data(const diff_file& file, const std::function<bool()>& stop) {
  const auto found = hash_extents({.fd = file.fd.get(),
                                   .path = file.path,
                                   .bytes = file.table.data_bytes,
                                   .offset = diff_data_offset,
                                   .stop = stop});
  if (!found)
    return tl::unexpected<failure>(found.error());
  for (std::size_t i = 0; i < found->size(); ++i)
    if ((*found)[i] != file.table.digests[i])
      return fail(ec::snapshot_corrupt, file.path + ": extent "
                                          + std::to_string(i)
                                          + " is not what was sealed");
  return {};
}

} // namespace forkfleet
