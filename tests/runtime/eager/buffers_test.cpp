#include <set>

#include <doctest/doctest.h>

#include <lathe/runtime/eager/buffers.h>

using namespace lathe::eager;

TEST_CASE("a buffer has room for what was asked, at an address for vectors, and little more") {
  Buffers buffers;
  for (std::size_t bytes = 0; bytes < 5000; bytes += 37) {
    Buffer& buffer = buffers.take(bytes);
    CHECK(buffer.bytes >= bytes);
    CHECK(buffer.bytes <= std::max<std::size_t>(64, bytes + bytes / 4 + 64));
    CHECK(reinterpret_cast<std::uintptr_t>(buffer.address) % 64 == 0);
    buffers.drop_user(buffer);
  }
  CHECK(buffers.live_bytes() == 0);
}

TEST_CASE("memory without users serves the next of its size, and no other") {
  Buffers buffers;
  Buffer& first = buffers.take(1000);
  Buffer& second = buffers.take(1000);
  CHECK(first.address != second.address);
  std::byte* const address = first.address;
  buffers.drop_user(first);
  CHECK(buffers.take(4000).address != address);
  CHECK(buffers.take(1000).address == address);
}

TEST_CASE("a buffer is in use until its last user is gone") {
  Buffers buffers;
  Buffer& shared = buffers.take(100);
  buffers.add_user(shared);
  buffers.drop_user(shared);
  CHECK(buffers.live_bytes() == shared.bytes);
  buffers.drop_user(shared);
  CHECK(buffers.live_bytes() == 0);
  CHECK(buffers.peak_bytes() == 112);
  CHECK(buffers.held_bytes() == 112);
  buffers.trim();
  CHECK(buffers.held_bytes() == 0);
  CHECK(buffers.take(100).users == 1);
  CHECK(buffers.held_bytes() == 112);
}
