#include <lathe/runtime/data/file_reader.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <zlib.h>

#include <lathe/graph/error.h>

namespace lathe::data {
namespace {

[[noreturn]] void fail_on(const std::filesystem::path& path, std::string_view what) {
  throw DataError(fmt::format("'{}' {}", path.string(), what));
}

}  // namespace

struct FileReader::State {
  std::filesystem::path path;
  std::ifstream file;
  std::array<std::byte, 1 << 16> packed{};
  std::span<const std::byte> rest;  // of `packed`: read from the file, not handed on yet
  bool gzip = false;
  bool member_open = false;
  z_stream stream{};

  ~State() {
    if (gzip) inflateEnd(&stream);
  }

  /// Makes `rest` non-empty unless the file is at its end.
  void refill() {
    if (!rest.empty()) return;
    file.read(reinterpret_cast<char*>(packed.data()), static_cast<std::streamsize>(packed.size()));
    if (file.bad()) fail_on(path, fmt::format("cannot be read: {}", std::strerror(errno)));
    rest = std::span<const std::byte>(packed).first(static_cast<std::size_t>(file.gcount()));
  }

  std::size_t read_plain(std::span<std::byte> out) {
    std::size_t filled = 0;
    while (filled < out.size()) {
      refill();
      if (rest.empty()) break;
      const std::size_t count = std::min(rest.size(), out.size() - filled);
      std::memcpy(out.data() + filled, rest.data(), count);
      rest = rest.subspan(count);
      filled += count;
    }
    return filled;
  }

  std::size_t read_gzip(std::span<std::byte> out) {
    std::size_t filled = 0;
    while (filled < out.size()) {
      refill();
      if (rest.empty() && !member_open) break;  // ended where a member ends
      if (rest.empty()) fail_on(path, "is truncated: its gzip stream breaks off");
      if (!member_open) {
        inflateReset(&stream);
        member_open = true;
      }
      filled += inflate_some(out.subspan(filled));
    }
    return filled;
  }

  std::size_t inflate_some(std::span<std::byte> out) {
    constexpr std::size_t at_most = 1U << 30;  // zlib counts in 32 bits
    const std::size_t room = std::min(out.size(), at_most);
    // zlib never writes through next_in; its type lacks the const for historical reasons.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(rest.data()));
    stream.avail_in = static_cast<uInt>(rest.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(room);
    const int status = inflate(&stream, Z_NO_FLUSH);
    rest = rest.last(stream.avail_in);
    if (status == Z_STREAM_END) member_open = false;
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
      fail_on(path, fmt::format("is not valid gzip: {}", stream.msg ? stream.msg : zError(status)));
    }
    return room - stream.avail_out;
  }
};

FileReader::FileReader(std::filesystem::path path) : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.path = std::move(path);
  std::error_code error;
  const auto status = std::filesystem::status(state.path, error);
  if (status.type() == std::filesystem::file_type::not_found) fail("does not exist");
  if (error) fail(fmt::format("cannot be looked at: {}", error.message()));
  if (is_directory(status)) fail("is a directory, not a file");
  state.file.open(state.path, std::ios::binary);
  if (!state.file) fail(fmt::format("cannot be opened: {}", std::strerror(errno)));
  state.refill();
  if (state.rest.empty()) fail("is empty");

  constexpr std::byte first{0x1f};
  constexpr std::byte second{0x8b};
  if (state.rest.size() < 2 || state.rest[0] != first || state.rest[1] != second) return;
  constexpr int gzip_only = 16 + MAX_WBITS;
  if (inflateInit2(&state.stream, gzip_only) != Z_OK) fail("cannot be unpacked: zlib has no memory");
  state.gzip = true;
}

FileReader::~FileReader() = default;
FileReader::FileReader(FileReader&&) noexcept = default;
FileReader& FileReader::operator=(FileReader&&) noexcept = default;

std::size_t FileReader::read(std::span<std::byte> out) {
  return state_->gzip ? state_->read_gzip(out) : state_->read_plain(out);
}

const std::filesystem::path& FileReader::path() const {
  return state_->path;
}

void FileReader::fail(std::string_view what) const {
  fail_on(state_->path, what);
}

}  // namespace lathe::data
