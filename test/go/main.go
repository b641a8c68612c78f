// xdscaller calls `/greeter/Hello` of the target given until it is told to stop, and prints each answer as a line: grpc-go's own
// xDS client, which reads its bootstrap from the environment.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	_ "google.golang.org/grpc/xds"
)

// raw leaves messages the bytes that they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (raw) Name() string { return "raw" }

func call(conn *grpc.ClientConn) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var request, answer []byte
	if err := conn.Invoke(ctx, "/greeter/Hello", &request, &answer, grpc.ForceCodec(raw{})); err != nil {
		return "error " + status.Convert(err).Message()
	}
	return string(answer)
}

func main() {
	conn, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		fmt.Println(call(conn))
		time.Sleep(10 * time.Millisecond)
	}
}
