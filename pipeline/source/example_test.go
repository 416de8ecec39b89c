package source_test

import (
	"context"
	"fmt"
	"os"

	"github.com/jarvis-ml/jarvis/pipeline/source"
)

func ExampleReadAll() {
	src, err := source.FromBytes("birds.csv", []byte("name;mass;ring\nauk;4.2;007\ntern;NA;012\n"), source.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	t, err := source.ReadAll(context.Background(), src)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range t.Schema() {
		fmt.Println(f.Name, f.Kind)
	}
	fmt.Println(source.Notices(src))
	if err := source.Write(context.Background(), os.Stdout, source.JSON, t); err != nil {
		fmt.Println(err)
	}
	// Output:
	// name text
	// mass number
	// ring text
	// [fields are separated by ';']
	// {"name":"auk","mass":4.2,"ring":"007"}
	// {"name":"tern","mass":null,"ring":"012"}
}
